"""What makes the source's portrait and the target's head fit each other."""
