"""Workflows in Redis: record, flow, progress, history, items."""
