"""Addresses that are not on the public Internet, in every form."""

from __future__ import annotations

import ipaddress

import pytest

from lfr.tasks.addresses import normal_host, restriction
from lfr.tasks.allow_list import parse_allow_list
from lfr.tasks.uri_policy import WebLocation, parse_location


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("0.0.0.0", "that of any host"),
        ("0.1.2.3", "reserved"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "shared"),
        ("100.100.100.200", "for the metadata of this machine"),
        ("168.63.129.16", "for the metadata of this machine"),
        ("169.254.169.254", "for the metadata of this machine"),
        ("169.254.1.1", "link-local"),
        ("192.0.0.192", "reserved"),
        ("198.18.0.1", "reserved"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("240.0.0.1", "reserved"),
        ("::1", "loopback"),
        ("::", "that of any host"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fc00::1", "private"),
        ("fd00:ec2::254", "for the metadata of this machine"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "reserved"),
        ("4000::1", "reserved"),
        ("64:ff9b:1::1", "reserved"),
        ("2001:20::1", "reserved"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("::ffff:a9fe:a9fe", "for the metadata of this machine"),
        ("::127.0.0.1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("64:ff9b::a9fe:a9fe", "for the metadata of this machine"),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", "loopback"),
    ],
)
def test_what_is_not_on_the_internet(address: str, kind: str) -> None:
    assert restriction(ipaddress.ip_address(address)) == kind


@pytest.mark.parametrize(
    "address",
    [
        "93.184.215.14",
        "8.8.8.8",
        "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::",
    ],
)
def test_what_is_on_the_internet(address: str) -> None:
    assert restriction(ipaddress.ip_address(address)) == ""


@pytest.mark.parametrize(
    ("host", "normal"),
    [
        ("api.example", "api.example"),
        ("api.example.", "api.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
        ("1password.com", "1password.com"),
    ],
)
def test_a_host_has_one_form(host: str, normal: str) -> None:
    assert normal_host(host) == normal


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "1.2.3.4.5", "a.1", "a.0x", "a..b", ".", ""]
)
def test_a_host_with_two_readings_is_refused(host: str) -> None:
    with pytest.raises(ValueError):
        normal_host(host)


def denial(url: str, address: str, *entries: str) -> str:
    location = parse_location(url)
    assert isinstance(location, WebLocation)
    return parse_allow_list(entries).address_denial(location, ipaddress.ip_address(address))


def test_an_address_is_named_by_itself_by_its_network_or_as_localhost() -> None:
    assert denial("http://a/", "10.1.2.3", "http://a/", "10.0.0.0/8") == ""
    assert denial("http://a/", "::ffff:10.1.2.3", "http://a/", "10.0.0.0/8") == ""
    assert denial("http://10.1.2.3/", "10.1.2.3", "http://10.1.2.3/") == ""
    assert denial("http://localhost/", "127.0.0.1", "http://localhost/") == ""
    assert denial("http://localhost/", "10.1.2.3", "http://localhost/") != ""
    assert denial("http://a/", "10.1.2.3", "http://a/", "http://10.1.2.3/") != ""
    assert denial("http://10.1.2.3/", "10.1.2.3", "http://*/") != ""
    assert denial("http://10.1.2.3/b", "10.1.2.3", "http://10.1.2.3/a", "http://*/") != ""


def test_any_host_is_one_of_the_internet() -> None:
    allowed = parse_allow_list(["https://*/", "http://*:8080/v1/"])
    assert allowed.allows(parse_location("https://any.example/x"))
    assert allowed.allows(parse_location("http://any.example:8080/v1/x"))
    assert not allowed.allows(parse_location("http://any.example:8080/v2"))
    assert not allowed.allows(parse_location("http://any.example/"))
    assert denial("https://any.example/", "93.184.215.14", "https://*/") == ""
