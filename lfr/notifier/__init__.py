"""What the role notify does between its passes: deliver notices, and look for what only time shows."""
