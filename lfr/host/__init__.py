"""What lfr does with the machine that it runs on."""
