"""The part of the lifecycle role that runs the items of iterated steps."""
