"""Reads the URL of Redis. redis-py's own reader takes any path and option, and quotes passwords in errors.

redis://[USER[:PASSWORD]@][HOST][:PORT][/DATABASE][?OPTION=VALUE&...]     rediss:// is with TLS
unix://[USER[:PASSWORD]@]/PATH[?OPTION=VALUE&...]
redis+sentinel://[USER[:PASSWORD]@]HOST[:PORT],.../NAME[/DATABASE][?OPTION=VALUE&...]     rediss+sentinel://

The last form names Sentinels, and the primary by the name that they have for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from lfr.errors import BadSettings
from lfr.values.checks import HOST, Check, digits, one_of, suggestion

_FORM_HINT: Final = "redis://HOST:PORT/DATABASE, rediss:// for TLS, or unix:///PATH"
_SENTINEL_FORM_HINT: Final = "redis+sentinel://HOST:PORT,HOST:PORT/NAME/DATABASE, rediss+sentinel:// for TLS"
_ENCODING_HINT: Final = "write / as %2F, ? as %3F, # as %23, @ as %40, : as %3A, [ as %5B, % as %25"

_MASK: Final = "********"

_SCHEMES: Final = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
_REDIS_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379

_PORT: Final = digits(1, 65535)
_DATABASE: Final = digits(0, 2**31 - 1)
_ANY: Final = Check("a text", lambda text: text)
_PATH: Final = Check("a path", lambda text: text or None)
_NAME: Final = Check(
    "a name of ASCII characters without blanks",
    lambda text: text if text.isascii() and text and " " not in text else None,
)

_PRIMARY_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
"""What a Sentinel takes for the name of a primary."""

_SENTINEL_OPTIONS: Final = ("sentinel_username", "sentinel_password")

_FILE_OPTIONS: Final = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")

_OPTIONS: Final[Mapping[str, Check]] = {
    "db": _DATABASE,
    "username": _ANY,
    "password": _ANY,
    **dict.fromkeys(_SENTINEL_OPTIONS, _ANY),
    "client_name": _NAME,
    "ssl_cert_reqs": one_of("none", "optional", "required"),
    "ssl_check_hostname": one_of("true", "false"),
    "ssl_password": _ANY,
    **dict.fromkeys(_FILE_OPTIONS, _PATH),
}


class _Invalid(Exception):
    """The URL is not valid. The text says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """A URL of Redis.

    text      the URL without user and password
    path      of a unix socket; if it is empty, host and port say where Redis is
    is_tls    whether the connection is encrypted
    options   further options, by the names that redis-py has for them
    sentinels         host and port of each Sentinel; if there are any, `host` and `port` say nothing
    primary           the name that the Sentinels have for the primary
    sentinel_username, sentinel_password  those that the Sentinels require
    """

    text: str = field(repr=False)
    host: str
    port: int
    path: str
    is_tls: bool
    database: int
    username: str
    password: str = field(repr=False)
    options: Mapping[str, str] = field(repr=False)
    sentinels: tuple[tuple[str, int], ...] = ()
    primary: str = ""
    sentinel_username: str = ""
    sentinel_password: str = field(default="", repr=False)

    @property
    def address(self) -> str:
        """The URL without user, password and options, for messages."""
        return self.text.partition("?")[0]

    @property
    def masked_text(self) -> str:
        """The URL without user and password, and with a mask for other secrets in it."""
        query = self.text.partition("?")[2]
        options = [(name, _MASK if name == "ssl_password" else value) for name, value in parse_qsl(query)]
        return f"{self.address}?{_encode(dict(options))}" if query else self.text

    @property
    def files(self) -> dict[str, str]:
        """The files, and the folder, that the options name, by option."""
        return {name: self.options[name] for name in _FILE_OPTIONS if name in self.options}

    def connection_options(self) -> dict[str, Any]:
        """Return arguments for a connection of redis-py: where Redis is, the database, TLS."""
        options = {**self.common_options(), "db": self.database}
        return options | ({"path": self.path} if self.path else {"host": self.host, "port": self.port})

    def common_options(self) -> dict[str, Any]:
        """Return those arguments that Sentinels share with their primary: all but place and database."""
        options: dict[str, Any] = dict(self.options)
        if "ssl_check_hostname" in options:
            options["ssl_check_hostname"] = options["ssl_check_hostname"] == "true"
        return options


def parse_redis_url(text: str, origin: str) -> RedisUrl:
    """Parse the URL of Redis that comes from `origin`. Raises BadSettings.

    What follows a `/`, `?` or `#` of a password, up to the `@`, is read as a port, a path or options. So
    an error quotes nothing of a URL that has an `@` there.
    """
    try:
        parts = urlsplit(text)
    except ValueError:  # a bracket, perhaps of a password
        message = "the URL of Redis cannot be read"
        raise BadSettings(message, place=origin, hint=f"in a user or password {_ENCODING_HINT}") from None
    try:
        return _read(text, parts)
    except _Invalid as error:
        if "@" in parts.path + parts.query + parts.fragment:
            message = "the URL of Redis has a user or password with characters that must be encoded"
            raise BadSettings(message, place=origin, hint=_ENCODING_HINT) from None
        hint = _SENTINEL_FORM_HINT if parts.scheme.endswith("+sentinel") else _FORM_HINT
        raise BadSettings(f"the URL of Redis {error}", place=origin, hint=hint) from None


def _read(text: str, parts: SplitResult) -> RedisUrl:
    if parts.scheme not in _SCHEMES or "://" not in text:
        raise _Invalid("must begin with redis://, rediss://, unix:// or redis+sentinel://")
    if not text.isprintable():
        raise _Invalid("has characters that cannot be printed")
    if parts.fragment:
        raise _Invalid("has a part behind a #, which means nothing")
    user_info, _, server = parts.netloc.rpartition("@")
    user, _, password = user_info.partition(":")
    is_tls, has_sentinels = parts.scheme.startswith("rediss"), parts.scheme.endswith("+sentinel")
    options = _read_options(parts.query, is_tls=is_tls, has_sentinels=has_sentinels)
    username, password = options.pop("username", _decode(user)), options.pop("password", _decode(password))
    sentinel_user, sentinel_password = (options.pop(name, "") for name in _SENTINEL_OPTIONS)
    text = f"{parts.scheme}://{server}{parts.path}" + (f"?{_encode(options)}" if options else "")
    database = int(options.pop("db", "0"))
    host, port, path, primary = "", 0, "", ""
    sentinels: tuple[tuple[str, int], ...] = ()
    if parts.scheme == "unix":
        path = _read_socket(server, parts.path)
    elif has_sentinels:
        sentinels = _read_sentinels(server)
        _, primary, *more = parts.path.split("/", 2) if parts.path else ("", "")
        if not _PRIMARY_NAME.fullmatch(primary):
            raise _Invalid("names no primary behind its Sentinels: a name has letters, digits, . - _")
        database = _read_path("/" + "".join(more), database)
    else:
        host, port = _read_server(server)
        database = _read_path(parts.path, database)
    return RedisUrl(
        *(text, host, port, path, is_tls, database, username, password, options),
        *(sentinels, primary, sentinel_user, sentinel_password),
    )


def _read_options(query: str, *, is_tls: bool, has_sentinels: bool) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS:
            hint = "the setting redis.timeout says this" if "timeout" in name else suggestion(name, _OPTIONS)
            hint = hint or f"there are {', '.join(_OPTIONS)}"
            raise _Invalid(f"has the unknown option {name}: {hint}")
        if name.startswith("ssl_") and not is_tls:
            raise _Invalid(f"has the option {name}, which goes with rediss:// only")
        if name in _SENTINEL_OPTIONS and not has_sentinels:
            raise _Invalid(f"has the option {name}, which goes with redis+sentinel:// only")
        if name in options:
            raise _Invalid(f"has the option {name} twice")
        if _OPTIONS[name].read(value) is None:
            raise _Invalid(f"has an option {name} that is not {_OPTIONS[name].words}")
        options[name] = value
    return options


def _read_sentinels(text: str) -> tuple[tuple[str, int], ...]:
    """Return host and port of each Sentinel in `HOST:PORT,...`."""
    servers = text.split(",")
    if not all(servers):
        raise _Invalid("names no Sentinels: they are HOST:PORT, with commas between them")
    return tuple(_read_server(server, _SENTINEL_PORT) for server in servers)


def _read_server(text: str, default_port: int = _REDIS_PORT) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`, `[IPv6]:PORT`, or a part of that."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    if port and _PORT.read(port) is None:
        raise _Invalid(f"has no port behind its host: a port is {_PORT.words}")
    if host and HOST.read(host) is None:
        raise _Invalid(f"has a host that is not {HOST.words}")
    return host or "localhost", int(port or default_port)


def _read_socket(server: str, path: str) -> str:
    decoded = _decode(path)
    if server or not decoded.strip("/") or not decoded.isprintable():
        raise _Invalid("names no socket: it is unix:///PATH, with three slashes")
    return decoded


def _read_path(path: str, database: int) -> int:
    """Return the number of the database in the path, or if there is none, `database`."""
    text = path.removeprefix("/")
    if not text:
        return database
    if _DATABASE.read(text) is None:
        raise _Invalid(f"has the path {path}, which is no number of a database")
    if database not in (0, int(text)):
        raise _Invalid("names two databases")
    return int(text)


def _decode(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise _Invalid("has a % that begins no character in UTF-8") from None


def _encode(options: Mapping[str, str]) -> str:
    return urlencode(options, safe="/*")
