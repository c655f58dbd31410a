"""The picture to its latents and back: x <-> y, and y -> z."""
