"""Values as text and back: JSON, YAML, literals in a text, times, stream ids; and checks of values."""
