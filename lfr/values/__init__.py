"""Values of a workflow as text and back: JSON, YAML, durations, timestamps."""
