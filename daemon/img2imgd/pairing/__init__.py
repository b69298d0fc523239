"""Which file of an inbox belongs to which: pure decisions over plain values."""
