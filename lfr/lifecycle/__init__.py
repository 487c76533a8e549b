"""The part of the lifecycle role that runs the children of workflows: items and calls."""
