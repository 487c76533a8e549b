"""The stream of events: entries, consumer groups, receipts, dead letters."""
