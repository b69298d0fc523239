"""What leaves the program: names, staged pictures, animations, sheets and reason files."""
