"""Read the checkpoints others published: pickles of PyTorch and Paddle, of which nothing is run."""
