"""Torch modules only: no files, no training, no printing."""
