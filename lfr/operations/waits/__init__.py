"""Who waits, for what, since when and until when."""
