"""Finds Redis by a running `lfr up`, if no setting says where it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lfr.config.load import LoadedSettings, RedisSource
from lfr.errors import Unreachable


def with_running_up(loaded: LoadedSettings) -> LoadedSettings:
    """Return the settings with the address of the server of an `lfr up`, unless they say where Redis is.

    If they name the data folder of one (`up.data`), it is that one. If they say nothing, it is the one that
    this user runs, if there is one. Raises Unreachable if none runs in the folder that is set, and
    BadSettings if nothing says which one of several is meant.
    """
    if loaded.redis_source is RedisSource.ADDRESS:
        return loaded
    if loaded.redis_source is RedisSource.UP_FOLDER:
        from lfr.host.valkey import read_address  # here and below: only this needs the machine

        folder = Path(loaded.settings.up_data).expanduser()
        address = read_address(folder)
        if address is None:
            place = loaded.origins["up_data"]
            raise Unreachable(
                f"no lfr up runs in {folder}", place=place, hint=f"lfr up --data {folder} starts one"
            )
        return _with_address(loaded, folder, address)
    from lfr.host.up_registry import find_running_up

    running = find_running_up()
    return loaded if running is None else _with_address(loaded, *running)


def _with_address(loaded: LoadedSettings, folder: Path, url: str) -> LoadedSettings:
    origin = f"lfr up in {folder}"
    settings = replace(loaded.settings, redis_url=url, redis_username="", redis_password="")
    origins = dict.fromkeys(("redis_url", "redis_username", "redis_password"), origin)
    return replace(loaded, settings=settings, origins={**loaded.origins, **origins})
