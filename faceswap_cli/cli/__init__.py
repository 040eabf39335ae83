"""The commands: parse, build options, make one call, show the result. The only place that prints."""
