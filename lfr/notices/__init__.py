"""Notices: words that leave the host when something is wrong. Which rule fits, what is written, how often."""
