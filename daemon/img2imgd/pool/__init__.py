"""The processes beside the supervisor: the worker paints, the reader opens pictures."""
