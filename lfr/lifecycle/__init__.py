"""The parts of the lifecycle role: classify a batch of events, advance workflows, run iterated steps."""
