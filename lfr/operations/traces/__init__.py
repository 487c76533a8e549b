"""The spans of workflows: rebuilt from their histories, and exported."""
