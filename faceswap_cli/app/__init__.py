"""What a command or a program calls: a whole swap, a trial of it, the report of it, the signature under it."""
