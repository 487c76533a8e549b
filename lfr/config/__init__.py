"""Settings: the table of them, and where their values come from."""
