"""Run a network file; each engine reports its device and precision."""
