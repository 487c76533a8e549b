"""What every long-running process of lfr shares: consumer, tasks, process, heartbeat."""
