"""Connections to Redis, and how commands travel."""
