"""What the role traces does between its passes: export the spans of workflows that have ended."""
