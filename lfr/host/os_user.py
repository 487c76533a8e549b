"""The user and the host of this process, as who does something by hand; root as the user of a folder."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lfr.errors import Refused


@contextmanager
def acting_as_owner(folder: Path) -> Iterator[None]:
    """For the block, let root have no more rights than the owner of a folder: who may change what stands in
    it could put links there, which lead root to files that are not his.

    Raises Refused for another user than root and the owner, and OSError. (credentials(7))
    """
    status = folder.stat()
    if os.geteuid() not in (0, status.st_uid):
        raise Refused(f"{folder} belongs to another user")
    if os.geteuid() == status.st_uid:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([])
    os.setegid(status.st_gid)
    os.seteuid(status.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


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
