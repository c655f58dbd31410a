"""The exact path: quantisation of latents, visiting order, priors, and integer arithmetic."""
