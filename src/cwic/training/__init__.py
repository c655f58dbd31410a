"""Training of models from recipes, on anything from two CPU cores to many GPUs."""
