"""Waits in Redis: timers, events, latches."""
