"""Groups failed workflows by their cause: for CLI, API and console."""
