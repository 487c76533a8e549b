"""IP addresses of hosts: how a URI writes them, and which of them are not on the public Internet."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")

_METADATA: Final = tuple(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "fd00:ec2::254")
)
"""Where clouds answer questions about a machine, such as for its credentials; not all are private."""

_SPECIAL: Final = tuple(
    (kind, tuple(ipaddress.ip_network(text) for text in texts))
    for kind, *texts in (
        ("that of any host", "0.0.0.0/32", "::/128"),
        ("loopback", "127.0.0.0/8", "::1/128"),
        ("link-local", "169.254.0.0/16", "fe80::/10"),
        ("multicast", "224.0.0.0/4", "ff00::/8"),
        ("private", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
        ("shared", "100.64.0.0/10"),
        ("reserved", "0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15"),
        ("reserved", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4"),
        ("reserved", "2001::/23", "2001:db8::/32", "3fff::/20"),
    )
)
"""Networks that are not on the public Internet. (IANA's registries of special-purpose addresses)

A table, because the properties of `ipaddress` change from one Python to the next.
"""

_GLOBAL: Final = ipaddress.ip_network("2000::/3")
"""All IPv6 addresses of the public Internet, and some others. (RFC 4291, 2.4)"""

_TRANSLATED: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
"""Networks whose addresses end with an IPv4 address. (RFC 6052, 2.1; RFC 4291, 2.5.5.1)"""


def normal_host(host: str) -> str:
    """Return a host of a URI in small letters as it is compared: without a dot at its end, an address in its
    shortest form. Raises ValueError for an address that some programs read in another way.

    An IPv6 address stands in brackets. A host whose last part is a number is an IPv4 address for many
    programs, in octal or with fewer parts too; only four decimal numbers are accepted.
    """
    if host.startswith("["):
        return f"[{ipaddress.IPv6Address(host[1:-1])}]"
    name = host.removesuffix(".")
    parts = name.split(".")
    if not all(parts) or any(len(part) > 63 for part in parts) or len(name) > 253:
        raise ValueError(f"{host[:80]!r} is no host name")
    if _NUMBER.fullmatch(parts[-1]):
        return str(ipaddress.IPv4Address(name))
    return name


def host_address(host: str) -> Address | None:
    """Return the address that a host from `normal_host` is, or None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def parse_network(text: str) -> Network:
    """Return the network of an address or a prefix, such as `10.0.0.0/8`. Raises ValueError."""
    return ipaddress.ip_network(text)


def is_in(address: Address, network: Network) -> bool:
    """Return whether a network has an address, or the IPv4 address inside it."""
    return any(inner in network for inner in (address, *_inner_addresses(address)))


def restriction(address: Address) -> str:
    """Return what an address is that is not on the public Internet, such as `loopback`; else an empty text.

    An IPv6 address that leads to an IPv4 address is what that is.
    """
    if address in _METADATA:
        return "for the metadata of this machine"
    if inner := _inner_addresses(address):
        return next((kind for each in inner if (kind := restriction(each))), "")
    for kind, networks in _SPECIAL:
        if any(address in network for network in networks):
            return kind
    return "reserved" if address.version == 6 and address not in _GLOBAL else ""


def _inner_addresses(address: Address) -> tuple[ipaddress.IPv4Address, ...]:
    """Return the IPv4 addresses that an IPv6 address may lead to."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address.sixtofour:
        return (address.sixtofour,)
    if address.teredo:
        return address.teredo
    if int(address) > 1 and any(address in network for network in _TRANSLATED):
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()
