"""Measure a swap with the measures of the field."""
