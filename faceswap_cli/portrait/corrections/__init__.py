"""The corrections of a warped portrait, one file each; once per source where the name begins with `source_`."""
