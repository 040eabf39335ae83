"""What every training shares: options, settings, the run and its checkpoints."""
