"""What counts as one client: its address, and of IPv6 the network that one customer has."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Final

_CUSTOMER_BITS: Final = 64
"""The prefix of the smallest network that a customer gets: all addresses in it may be his. (RFC 6177)"""


def client_network(address: str) -> str:
    """Return the address of a client, or of IPv6 the first of its /64; an IPv4 address inside an IPv6 address
    as such. A text that is no address stays."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    rest = 128 - _CUSTOMER_BITS
    return str(IPv6Address(int(parsed) >> rest << rest))
