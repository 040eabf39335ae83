"""Photos and clips in and out, in their own pixel format and time."""
