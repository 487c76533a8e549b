"""The URL of Redis: what it means, what is refused, and that no error shows a password."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from lfr.errors import BadSettings
from lfr.store.redis.url import parse_redis_url

SECRET = "Sekret"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://h", {"host": "h", "port": 6379, "db": 0}),
        ("redis://", {"host": "localhost", "port": 6379, "db": 0}),
        ("redis://h:7/3", {"host": "h", "port": 7, "db": 3}),
        ("redis://h/", {"host": "h", "port": 6379, "db": 0}),
        ("redis://h?db=3", {"host": "h", "port": 6379, "db": 3}),
        ("redis://h/3?db=3", {"host": "h", "port": 6379, "db": 3}),
        ("redis://[::1]:7", {"host": "::1", "port": 7, "db": 0}),
        ("redis://u:p@h?client_name=me", {"host": "h", "port": 6379, "db": 0, "client_name": "me"}),
        ("unix:///run/my%20redis.sock?db=1", {"path": "/run/my redis.sock", "db": 1}),
        (
            "rediss://h?ssl_cert_reqs=none&ssl_check_hostname=false",
            {"host": "h", "port": 6379, "db": 0, "ssl_cert_reqs": "none", "ssl_check_hostname": False},
        ),
    ],
)
def test_what_a_url_means(text: str, expected: dict[str, Any]) -> None:
    assert parse_redis_url(text, "place").connection_options() == expected


def test_user_and_password() -> None:
    for text in ("redis://a%40b:p%2F%3F%23@h/1", "redis://h/1?username=a%40b&password=p%2F%3F%23"):
        url = parse_redis_url(text, "place")
        assert (url.username, url.password) == ("a@b", "p/?#")
        assert url.text == url.address == "redis://h/1" and "p/" not in repr(url)


def test_sentinels() -> None:
    text = (
        "redis+sentinel://ann:p%2F@h,[::1]:7,g:8/my.master-1/3?sentinel_username=sam&sentinel_password=s%23"
    )
    url = parse_redis_url(text, "place")
    assert url.sentinels == (("h", 26379), ("::1", 7), ("g", 8))
    assert (url.primary, url.database, url.is_tls) == ("my.master-1", 3, False)
    assert (url.username, url.password) == ("ann", "p/")
    assert (url.sentinel_username, url.sentinel_password) == ("sam", "s#")
    assert url.text == url.masked_text == url.address == "redis+sentinel://h,[::1]:7,g:8/my.master-1/3"
    assert "p/" not in repr(url) and "s#" not in repr(url)
    url = parse_redis_url("rediss+sentinel://h/m?ssl_ca_certs=/c&db=2", "place")
    assert (url.primary, url.database, url.is_tls) == ("m", 2, True)
    assert url.files == {"ssl_ca_certs": "/c"} and url.common_options() == {"ssl_ca_certs": "/c"}


def test_a_password_of_a_key_is_masked() -> None:
    url = parse_redis_url(f"rediss://h/1?ssl_keyfile=/k&ssl_password={SECRET}", "place")
    assert url.masked_text == "rediss://h/1?ssl_keyfile=/k&ssl_password=********"
    assert url.address == "rediss://h/1" and url.files == {"ssl_keyfile": "/k"}
    assert SECRET not in repr(url)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("redis://h/production", "has the path /production, which is no number of a database"),
        ("redis://h/1/2", "has the path /1/2"),
        ("redis://h/-1", "has the path /-1"),
        ("redis://h/1?db=2", "names two databases"),
        ("redis://h?protocol=3", "has the unknown option protocol: there are db, username"),
        ("redis://h?ssl_ca_cert=/x", "has the unknown option ssl_ca_cert: did you mean ssl_ca_certs?"),
        ("redis://h?socket_timeout=3", "the setting redis.timeout says this"),
        ("redis://h?ssl_ca_certs=/x", "which goes with rediss:// only"),
        ("rediss://h?ssl_cert_reqs=maybe", "ssl_cert_reqs that is not one of none, optional, required"),
        ("redis://h?db=1&db=2", "has the option db twice"),
        ("redis://h?client_name=a%20b", "client_name that is not a name of ASCII characters"),
        ("redis://h:0", "has no port behind its host: a port is a number from 1 to 65535"),
        ("redis://h:x", "has no port behind its host"),
        ("redis://a..b", "has a host that is not a host name or an IP address"),
        (f"redis://{'a' * 64}.example", "has a host that is not a host name"),
        ("redis://h#x", "has a part behind a #"),
        ("http://h", "must begin with redis://, rediss://, unix:// or redis+sentinel://"),
        ("redis+sentinel://h", "names no primary behind its Sentinels"),
        ("redis+sentinel://h/", "names no primary behind its Sentinels"),
        ("redis+sentinel://h//1", "names no primary behind its Sentinels"),
        ("redis+sentinel://h/my name", "names no primary behind its Sentinels"),
        ("redis+sentinel://h/m/production", "has the path /production, which is no number of a database"),
        ("redis+sentinel://h/m/1/2", "has the path /1/2"),
        ("redis+sentinel://h/m/1?db=2", "names two databases"),
        ("redis+sentinel:///m", "names no Sentinels"),
        ("redis+sentinel://h,,g/m", "names no Sentinels"),
        ("redis+sentinel://h,g:x/m", "has no port behind its host"),
        ("redis+sentinel://h/m?ssl_ca_certs=/x", "which goes with rediss:// only"),
        ("redis://h?sentinel_password=x", "which goes with redis+sentinel:// only"),
        ("localhost:6379", "must begin with redis://"),
        ("redis:h", "must begin with redis://"),
        ("unix://run/redis.sock", "it is unix:///PATH, with three slashes"),
        ("unix://", "names no socket"),
        ("unix:///a%00b", "names no socket"),
        ("redis://u:%ff@h", "has a % that begins no character in UTF-8"),
        ("redis://h\x00", "has characters that cannot be printed"),
        ("redis://[::1", "cannot be read"),
    ],
)
def test_errors(text: str, message: str) -> None:
    with pytest.raises(BadSettings) as caught:
        parse_redis_url(text, "$LFR_REDIS_URL")
    assert message in caught.value.message and caught.value.place == "$LFR_REDIS_URL"


@pytest.mark.parametrize(
    ("before", "after"), list(itertools.product(["", "x", "1", "12/3", "a:b"], ["", "x", "1", "=1", "/0"]))
)
@pytest.mark.parametrize("sign", ["#", "/", "?", "[", "]", "/?", "#/", "?db=", "%ff"])
@pytest.mark.parametrize("user", ["", "ann"])
def test_no_error_shows_a_password_that_is_not_encoded(user: str, sign: str, before: str, after: str) -> None:
    for secret in (f"{SECRET}{before}{sign}{after}", f"{before}{sign}{SECRET}{after}"):
        for rest in ("@h:1/0", "@h", "@h?db=1", "@[::1]:1"):
            try:
                url = parse_redis_url(f"redis://{user}:{secret}{rest}", "place")
            except BadSettings as error:
                assert SECRET not in str(error)
            else:
                assert SECRET not in url.address and SECRET not in url.masked_text
        for rest in ("@h:1,g:2/m/0", "@h/m", "@h/m?db=1"):
            try:
                url = parse_redis_url(f"redis+sentinel://{user}:{secret}{rest}", "place")
            except BadSettings as error:
                assert SECRET not in str(error)
            else:
                assert SECRET not in url.address and SECRET not in url.masked_text
