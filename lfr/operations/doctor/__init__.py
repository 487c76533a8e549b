"""Examines an installation for what is wrong with it, and mends what is safe to mend."""
