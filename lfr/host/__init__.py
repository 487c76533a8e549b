"""The host: files, child processes, systemd, the bundled Valkey."""
