"""Train what swaps: SimSwap, and the painter."""
