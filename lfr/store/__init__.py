"""The only room with Redis commands: what is kept where, and the one transaction of a batch."""
