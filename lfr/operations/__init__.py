"""The operations on workflows, shared by the command line, the API, the console and the Python client."""
