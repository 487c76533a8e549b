"""Stores waits and latches in Redis, and completes the steps that wait."""
