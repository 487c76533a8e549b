"""A group whose processes execute one task at a time."""

from _tasks import define

globals().update(define("one"))
