"""Schedules: what they may say, at which times they occur, and what is done at each time. Pure: no I/O."""
