"""Models of the Hugging Face hub: which files are wanted, downloading them, the cache.

Free of torch and diffusers, so that ``img2imgd fetch`` and the worker share it. Import from the
modules themselves: every command reads the settings, and those need only `known`.
"""
