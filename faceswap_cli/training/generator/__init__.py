"""Train what swaps: SimSwap, its lite form, and the painter."""
