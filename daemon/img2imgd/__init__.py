"""img2imgd: a watch-folder daemon for image-to-image diffusion."""

__version__ = "0.1.0"
