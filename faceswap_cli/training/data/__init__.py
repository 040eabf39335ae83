"""Faces, portraits and triplets a training learns from: made, read, augmented."""
