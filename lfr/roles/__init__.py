"""One file = one word of `lfr WORD`: a process that runs until it is stopped."""
