"""The stops of a frame's way: numpy in, numpy out."""
