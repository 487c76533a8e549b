"""The user and the host of this process, as who does something by hand."""

from __future__ import annotations

import os
import pwd
import socket


def operating_system_user() -> str:
    """Return user and host, as `ann@web1`; of a root that sudo has made, as `ann as root@web1`.

    It is the user of the process, not what $USER says; that sudo has a user before it can be forged by root
    alone.
    """
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # in a container, a user may have no name
        user = str(uid)
    before = os.environ.get("SUDO_USER", "") if uid == 0 else ""
    return f"{before} as {user}@{socket.gethostname()}" if before else f"{user}@{socket.gethostname()}"
