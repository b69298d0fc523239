"""What img2imgd tells its service manager, and what it inherits from it."""
