"""The HTTP API and the console, over operations/. Contains no Redis commands and no rules of workflows."""
