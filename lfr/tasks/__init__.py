"""The built-in tasks: their parameters, and what they do with them. No I/O."""
