"""What a workflow looks like to people and programs."""
