"""The processes beside the supervisor: the worker that paints and the reader that opens pictures."""
