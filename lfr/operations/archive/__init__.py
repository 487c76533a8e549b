"""Workflows as JSON documents, and back."""
