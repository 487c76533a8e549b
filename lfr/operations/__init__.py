"""What can be done to workflows: once, for the command line, the API, the console and Python."""
