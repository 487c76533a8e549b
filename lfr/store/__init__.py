"""Everything that lfr keeps in Redis. The only package that sends Redis commands."""
