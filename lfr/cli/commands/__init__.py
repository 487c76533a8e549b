"""The commands, one module each with the command's `HANDLER`. The roles share the module `roles`."""
