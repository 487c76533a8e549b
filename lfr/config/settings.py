"""Every setting once: name, type, default, variable, help, secret or not.

The table is the fields of `Settings`. The configuration file, the environment, the command line,
`lfr config` and the documentation all read it, so none of them can tell something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

Value: TypeAlias = str | int | float | tuple[str, ...] | Mapping[str, str]
"""What a setting can be: a single value, a list of texts, or texts by name."""


def _setting(default: Any, name: str, help: str, *, variable: str = "", secret: bool = False) -> Any:
    """A field of `Settings`: its name in the file, its variable (`LFR_` and the name, unless given)."""
    variable = variable or "LFR_" + name.replace(".", "_").upper()
    metadata = {"name": name, "help": help, "variable": variable, "secret": secret, "default": default}
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The effective values. Durations are in seconds."""

    redis_url: str = _setting(
        "", "redis.url", "address as redis://, rediss:// or unix://; wins over host and port"
    )
    redis_host: str = _setting("0.0.0.0", "redis.host", "host of Redis", variable="REDIS_HOST")
    redis_port: int = _setting(6379, "redis.port", "port of Redis", variable="REDIS_PORT")
    redis_username: str = _setting(
        "", "redis.username", "user name for Redis, if it asks for one", variable="REDIS_USERNAME"
    )
    redis_password: str = _setting(
        "", "redis.password", "password for Redis", variable="REDIS_PASSWORD", secret=True
    )
    redis_timeout_seconds: float = _setting(
        10.0, "redis.timeout", "seconds without an answer after which a connection counts as lost"
    )
    redis_commands: tuple[str, ...] = _setting(
        (),
        "redis.commands",
        "commands that redis: tasks may send; `usual` stands for those allowed if none is named",
    )
    stream: str = _setting("workflows:run", "stream", "key of the stream that holds every event")
    log_level: str = _setting(
        "INFO", "log.level", "least level that is logged: DEBUG, INFO, WARNING or ERROR", variable="LOG_LEVEL"
    )
    batch: int = _setting(500, "batch", "most events that a role takes in one pass")
    lease_seconds: float = _setting(
        5.0, "lease", "seconds after which what a lifecycle, wait or receipts role had read goes to another"
    )
    tasks_lease_seconds: float = _setting(
        30.0, "tasks.lease", "seconds after which a task of a worker that has stopped goes to another"
    )
    receipts_forget_seconds: float = _setting(
        3600.0,
        "receipts.forget",
        "seconds without a live consumer after which a group no longer holds the stream",
    )
    events_retain_seconds: float = _setting(
        3600.0,
        "events.retain",
        "seconds for which an event is kept for a wait:event that begins after it, and on the stream if "
        "nobody has dealt with it",
    )
    resources_allow: tuple[str, ...] = _setting(
        (), "resources.allow", "folders and beginnings of URLs that flows may load from and store to"
    )
    resources_size: int = _setting(
        10_000_000, "resources.size", "most bytes that a resource may have, loaded or stored"
    )
    resources_timeout_seconds: float = _setting(
        30.0, "resources.timeout", "seconds that loading or storing a resource may take in all"
    )
    iterate_limit: int = _setting(
        100, "iterate.limit", "most items of an iterated step (`*`) that are worked on at once"
    )
    request_urls: Mapping[str, str] = _setting(
        {}, "request.urls", "base URLs of request: tasks, by environment and category: global.base and so on"
    )
    request_size: int = _setting(
        10_000_000, "request.size", "most bytes of an answer that a request: task puts into its output"
    )
    request_token: str = _setting(
        "", "request.token", "token that request: tasks send to the servers of the base URLs", secret=True
    )
    request_token_for: tuple[str, ...] = _setting(
        (), "request.token_for", "other servers that get the token, each as https://HOST"
    )
    request_issuer: str = _setting(
        "",
        "request.issuer",
        "a JSON file, or its text: client_email, private_key, private_key_id; signs a token each hour",
        variable="ISSUER",
        secret=True,
    )
    api_token: str = _setting("", "api.token", "token that the API asks for; it allows changes", secret=True)
    api_read_token: str = _setting("", "api.read_token", "token that allows reading alone", secret=True)
    api_hosts: tuple[str, ...] = _setting(
        (), "api.hosts", "names under which the API may be asked, besides its machine's own"
    )
    archive_folder: str = _setting(
        "", "archive.folder", "folder in which the API keeps archives that it is asked to write"
    )
    api_body: int = _setting(10_000_000, "api.body", "most bytes that a request to the API may have")
    up_data: str = _setting("", "up.data", "folder in which `lfr up` keeps its data", variable="LFR_DATA")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table.

    attribute  the field of `Settings`
    name       in the configuration file, with dots between the levels: `redis.host`
    type       str, int, float; tuple for a list of texts; dict for texts by name
    """

    attribute: str
    name: str
    type: type
    default: Value
    variable: str
    help: str
    secret: bool


def table() -> Iterator[Setting]:
    """Every setting, in the order of `Settings`."""
    for entry in fields(Settings):
        yield Setting(
            attribute=entry.name,
            name=entry.metadata["name"],
            type=type(entry.metadata["default"]),
            default=entry.metadata["default"],
            variable=entry.metadata["variable"],
            help=entry.metadata["help"],
            secret=entry.metadata["secret"],
        )
