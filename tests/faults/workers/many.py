"""A group whose processes execute many tasks at a time."""

from _tasks import define

globals().update(define("many"))
