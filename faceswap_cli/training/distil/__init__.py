"""Distil a generator into the mobile one."""
