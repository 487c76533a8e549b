"""What flows reach outside: HTTP requests, URLs and files."""
