"""Describes workflows as plain data, for the command line, the API and Python."""
