"""Finds Redis by a running `lfr up`, or by the service lfr-valkey, if no setting says where it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lfr.config.load import LoadedSettings, RedisSource
from lfr.errors import Unreachable

if TYPE_CHECKING:
    from lfr.host.valkey_address import Address


_INSTALLED: Final = "lfr-valkey.service"


def with_running_up(loaded: LoadedSettings) -> LoadedSettings:
    """Return the settings with the address of a server of this machine, unless they say where Redis is.

    If they name the data folder of an `lfr up` (`up.data`), it is the server of that one. If they say
    nothing, it is that of the one that this user runs, else the service lfr-valkey, if there is one; with a
    user or a password alone, that service. Raises Unreachable if none runs in the folder that is set, and
    BadSettings if nothing says which one of several is meant.
    """
    if loaded.redis_source is RedisSource.ADDRESS:
        return loaded
    if loaded.redis_source is RedisSource.UP_FOLDER:
        from lfr.host.valkey_address import read_address  # here and below: only this needs the machine

        folder = Path(loaded.settings.up_data).expanduser()
        address = read_address(folder)
        if address is None:
            place = loaded.origins["up_data"]
            raise Unreachable(
                f"no lfr up runs in {folder}", place=place, hint=f"lfr up --data {folder} starts one"
            )
        return _with_address(loaded, f"lfr up in {folder}", address)
    from lfr.host.up_registry import find_running_up
    from lfr.host.valkey_address import find_installed_address

    has_password = loaded.redis_source is RedisSource.PASSWORD
    if not has_password and (running := find_running_up()):
        from_up = _with_address(loaded, f"lfr up in {running[0]}", running[1])
        return replace(from_up, settings=replace(from_up.settings, up_data=str(running[0])))
    installed = find_installed_address()
    if installed is None:
        return loaded
    if has_password:
        settings = replace(loaded.settings, redis_url=installed.url)
        return replace(loaded, settings=settings, origins={**loaded.origins, "redis_url": _INSTALLED})
    return _with_address(loaded, _INSTALLED, installed)


def _with_address(loaded: LoadedSettings, origin: str, address: Address) -> LoadedSettings:
    url = replace(address, password="").url  # no URL that lfr shows or logs holds a secret
    settings = replace(loaded.settings, redis_url=url, redis_username="", redis_password=address.password)
    origins = dict.fromkeys(("redis_url", "redis_username", "redis_password"), origin)
    return replace(loaded, settings=settings, origins={**loaded.origins, **origins})
