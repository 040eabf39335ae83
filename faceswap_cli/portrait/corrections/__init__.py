"""The corrections of a laid portrait, one file each; once per source where the name begins with `source_`."""
