"""The routes of the API, by resource. Each module has ROUTES."""
