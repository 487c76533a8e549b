"""Executes the task functions of users."""
