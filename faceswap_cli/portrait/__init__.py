"""What makes the source's photo fit the target: one ordered list of corrections, and what runs it."""
