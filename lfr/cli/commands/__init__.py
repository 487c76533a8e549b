"""The commands. A module has `HANDLERS`: by the name of each of its commands, the command's `Handler`."""
