"""Step-level continuous batching: one UNet call serves many frames, each at its own timestep."""
