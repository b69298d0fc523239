"""The drawn world: scenes by lot, painted with light and distance, rendered in many looks, told."""
