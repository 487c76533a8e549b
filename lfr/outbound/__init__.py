"""HTTP requests and files that flows ask for."""
