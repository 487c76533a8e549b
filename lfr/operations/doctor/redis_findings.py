"""Examines the Redis server: its settings, its memory, its clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lfr.operations.doctor.finding import Finding, Severity, name_some
from lfr.store.processes import Heartbeat
from lfr.store.redis.connection import Connection
from lfr.store.redis.write_probe import find_write_refusal

_CLOCK_SECONDS: Final = 2.0
"""How far a clock may be from that of Redis."""

_LOOPBACK: Final = {"127.0.0.1", "-::1", "::1", "localhost"}

_SETTINGS: Final = ("appendfsync", "requirepass", "bind", "protected-mode", "stop-writes-on-bgsave-error")


def examine_server(connection: Connection, server: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with the server; `server` is as in `Statistics`."""
    if refusal := find_write_refusal(connection):
        yield Finding(
            Severity.ERROR,
            "refused-writes",
            f"Redis refuses writes: {refusal}",
            "no workflow makes progress",
            "give it memory or disk; a replica: use its primary",
        )
    if not server["is_known"]:
        text = "this user may not send INFO: the server's memory and persistence are unknown"
        yield Finding(Severity.NOTE, "unknown-server", text, cure="permit INFO and CONFIG|GET (ACL SETUSER)")
        return
    if not server["is_persistent"]:
        yield Finding(
            Severity.WARNING,
            "no-append-only-file",
            "Redis keeps no append-only file",
            "if it stops, what was stored since its last snapshot is lost",
            "appendonly yes in its configuration, and CONFIG SET",
        )
    if not server["max_memory"]:
        text = (
            "Redis has no memory limit: limits.memory stops no start, and when the host has none left, the "
            "kernel kills it"
        )
        yield Finding(Severity.NOTE, "no-memory-limit", text, cure="maxmemory in its configuration")
    yield from _examine_settings(_read_settings(connection))


def _read_settings(connection: Connection) -> dict[str, str]:
    """Return settings of the server, without those that this user may not read. (CONFIG GET)"""
    replies = connection.execute_unchecked([("CONFIG", "GET", name) for name in _SETTINGS])
    return {
        name: reply[1].decode()
        for name, reply in zip(_SETTINGS, replies, strict=True)
        if isinstance(reply, list) and len(reply) == 2
    }


def _examine_settings(settings: Mapping[str, str]) -> Iterator[Finding]:
    if settings.get("appendfsync") == "no":
        yield Finding(
            Severity.WARNING,
            "appendfsync",
            "Redis leaves it to the kernel when its append-only file reaches the disk (appendfsync no)",
            "a crash of the host may lose half a minute",
            "appendfsync everysec, or always",
        )
    addresses = set(settings.get("bind", "").split())
    is_open = settings.get("protected-mode") == "no" and settings.get("requirepass") == ""
    if is_open and not addresses <= _LOOPBACK:
        yield Finding(
            Severity.ERROR,
            "open-server",
            f"Redis listens on {' '.join(sorted(addresses))} without a password",
            "whoever reaches its port may read and change everything",
            "requirepass, or bind 127.0.0.1, in its configuration",
        )


def examine_clocks(now_ms: int, own_ms: int, heartbeats: list[Heartbeat]) -> Iterator[Finding]:
    """Yield which clocks differ from that of Redis. `own_ms` is the time of this host at the time `now_ms` of
    Redis; each heartbeat says the time of its host when it was sent."""
    differences = {"this host": (own_ms - now_ms) / 1000}
    for each in heartbeats:
        if each.process.clock_ms:
            sent_ms = now_ms - 1000 * each.age_seconds
            differences[each.process.host] = (each.process.clock_ms - sent_ms) / 1000
    wrong = {host: seconds for host, seconds in differences.items() if abs(seconds) > _CLOCK_SECONDS}
    if wrong:
        hosts = name_some(f"{host} by {seconds:+.1f} s" for host, seconds in wrong.items())
        yield Finding(
            Severity.WARNING,
            "clocks",
            f"clocks differ from that of Redis: {hosts}",
            "times in logs and of users' events are wrong; waits and leases go by the clock of Redis",
            "let all hosts use NTP",
        )
