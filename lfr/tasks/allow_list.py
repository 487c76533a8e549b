"""The settings `resources.allow` and `request.allow`: where flows may go.

An entry is a folder or a file, a URL, which allows what is below it, or an address or network. A URL allows
a host by its name. Where the name leads is decided by others: so an address that is not on the public
Internet must be an entry itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lfr.tasks.addresses import Address, Network, host_address, is_in, parse_network, restriction
from lfr.tasks.uri_policy import BadLocation, FileLocation, Location, WebLocation, parse_location

_ANY_HOST: Final = "*"
_ANY: Final = re.compile(r"(https?://)\*(?=[:/]|$)")


@dataclass(frozen=True, slots=True)
class AllowList:
    """What a setting allows.

    setting    its name; `entries`: its value, for messages
    role       the role that reads it, for messages
    locations  each allows what it is and what is below it
    networks   where a host name may lead besides the public Internet
    """

    setting: str
    entries: tuple[str, ...]
    role: str
    locations: tuple[Location, ...]
    networks: tuple[Network, ...] = ()

    def allows(self, location: Location) -> bool:
        """Return whether an allowed location is or contains this one. Queries do not matter.

        Paths of files must be real ones, without links.
        """
        return any(_holds(each, location) for each in self.locations)

    def mapped(self, change: Callable[[Location], Location]) -> AllowList:
        """Return the list with changed locations."""
        return replace(self, locations=tuple(change(each) for each in self.locations))

    def extended(self, locations: Iterable[Location]) -> AllowList:
        """Return the list with more locations."""
        return replace(self, locations=(*self.locations, *locations))

    def denial_reason(self, location: Location) -> str:
        """Return why a location is refused: `not allowed: ...`, with the setting that would allow its
        folder."""
        folder = location.path.rpartition("/")[0]
        entry = (
            f"{location.origin}{folder}/" if isinstance(location, WebLocation) else folder or location.path
        )
        return f"not allowed: to allow what is in {entry}, {self._advice(entry)}"

    def address_denial(self, location: WebLocation, address: Address) -> str:
        """Return why a request to an allowed location may not go to this address; empty if it may.

        It may go to the public Internet, to the networks of the list, and to an address or `localhost` that
        an entry names as its host.
        """
        kind = restriction(address)
        if not kind or any(is_in(address, network) for network in self.networks):
            return ""
        is_named = any(
            isinstance(each, WebLocation) and each.host == location.host and _holds(each, location)
            for each in self.locations
        )
        is_loopback = location.host == "localhost" and kind == "loopback"
        if is_named and (is_loopback or host_address(location.host) == address):
            return ""
        subject = "" if host_address(location.host) else f"{location.host} has the address {address}, and "
        return f"not allowed: {subject}{address} is {kind}; to allow it, {self._advice(str(address))}"

    def _advice(self, entry: str) -> str:
        line = f"{self.setting}: {json.dumps([*self.entries, entry], ensure_ascii=False)}"
        instead = f", in place of its present {self.setting}" if self.entries else ""
        return f"the configuration file of the {self.role} role needs the line `{line}`{instead}"


def parse_allow_list(
    entries: Sequence[str], setting: str = "resources.allow", role: str = "resource"
) -> AllowList:
    """Return what a setting allows. Raises BadLocation for an entry that cannot match."""
    locations: list[Location] = []
    networks: list[Network] = []
    for entry in entries:
        if entry.startswith("/"):
            locations.append(FileLocation(entry))
        elif "://" in entry:
            locations.append(_parse_url(entry, setting))
        else:
            networks.append(_parse_network(entry, setting))
    return AllowList(setting, tuple(entries), role, tuple(locations), tuple(networks))


def _parse_url(entry: str, setting: str) -> Location:
    """Return the location of a URL; `https://*/` has any host."""
    location = parse_location(_ANY.sub(r"\1any", entry))
    if isinstance(location, WebLocation) and location.query:
        raise BadLocation(f"{setting}: {entry[:200]!r} has a query, which is not compared")
    if isinstance(location, WebLocation) and _ANY.match(entry):
        return replace(location, host=_ANY_HOST)
    return location


def _parse_network(entry: str, setting: str) -> Network:
    try:
        return parse_network(entry)
    except ValueError:
        raise BadLocation(
            f"{setting}: {entry[:200]!r} is neither an absolute path nor a URL, and no address or network"
        ) from None


def _holds(outer: Location, inner: Location) -> bool:
    if isinstance(outer, WebLocation) and isinstance(inner, WebLocation):
        same = (outer.scheme, outer.port) == (inner.scheme, inner.port)
        return same and outer.host in (_ANY_HOST, inner.host) and _is_under(inner.path, outer.path)
    if isinstance(outer, FileLocation) and isinstance(inner, FileLocation):
        return _is_under(inner.path, outer.path)
    return False


def _is_under(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
