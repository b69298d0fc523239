"""What turns frames into images. Importing this package imports no torch: see ``factory``."""
