"""Warns of texts that compile but probably do not mean what they say."""
