"""The command line: parses it, runs an operation or a role, and prints the result for people or scripts."""
