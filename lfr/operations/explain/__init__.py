"""Explains why a workflow stands, and what to do about it: for CLI, API and console."""
