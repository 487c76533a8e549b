"""What can be asked for, by subject. Each module has ROUTES."""
