"""The command line as people see it: parser, terminal, tables, progress."""
