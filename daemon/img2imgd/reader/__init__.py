"""The only place where pictures from outside are parsed, inside a child process with limits.

:mod:`~img2imgd.reader.protocol` holds the words of a request and its answer and imports nothing;
the rest is loaded in the child alone, which ``img2imgd.pool.reading`` starts and supervises.
"""
