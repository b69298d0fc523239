"""What Prometheus can ask of the running daemon: counted where it happens, served by the page."""
