"""Torch modules, and the one file format they are kept in: no training, no printing."""
