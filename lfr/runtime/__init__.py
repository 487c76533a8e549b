"""What every long-running process of lfr shares: consumer, process, heartbeat, retry."""
