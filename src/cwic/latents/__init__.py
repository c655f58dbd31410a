"""Latents to integers and their probabilities: quantisation, visiting order, priors, exact arithmetic."""
