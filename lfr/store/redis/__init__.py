"""Connections to Redis: commands, pipelines, transactions."""
