"""Wing A: training, from two CPU cores to many GPUs."""
