"""Tokens: the configured one, and those that are signed."""

from __future__ import annotations

import json
import sys
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.outbound import credentials as module
from lfr.outbound.credentials import Issuer, TokenSource, load_issuer, sign_token

ISSUER = {"client_email": "me@x.test", "private_key": "KEY", "private_key_id": "k1"}


def decoded(part: str) -> Any:
    return json.loads(urlsafe_b64decode(part + "=="))


def test_no_token_and_a_configured_one() -> None:
    assert TokenSource(Settings()).authorization() == ""
    assert TokenSource(Settings(request_token="abc")).authorization() == "Bearer abc"


def test_a_token_names_its_issuer_and_its_end() -> None:
    token = sign_token(Issuer("me@x.test", "k1", lambda signed: b"\xff" + signed[:2]), 1000)
    header, claims, signature = token.split(".")
    assert decoded(header) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    who = "me@x.test"
    assert decoded(claims) == {"iat": 1000, "exp": 4600, "iss": who, "sub": who, "email": who}
    assert urlsafe_b64decode(signature) == b"\xff" + header[:2].encode()
    assert "=" not in token


def test_a_token_is_signed_anew_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    signed: list[bytes] = []

    def signature(text: bytes) -> bytes:
        signed.append(text)
        return b"s"

    monkeypatch.setattr(module, "_signer", lambda key, place: signature)
    monkeypatch.setattr(module.time, "time", lambda: now)
    tokens = TokenSource(Settings(request_issuer=json.dumps(ISSUER)))
    first = tokens.authorization()
    now += 3000
    assert tokens.authorization() == first
    now += 400
    assert tokens.authorization() != first
    assert len(signed) == 2


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("{", "request.issuer: the issuer is not JSON"),
        ("/nowhere/issuer.json", "/nowhere/issuer.json: the issuer cannot be read: No such file"),
        ('{"client_email": "a"}', "an issuer has client_email and private_key"),
        ('{"client_email": "a", "private_key": 5}', "an issuer has client_email and private_key"),
    ],
)
def test_an_invalid_issuer_is_refused_with_a_reason(setting: str, message: str) -> None:
    with pytest.raises(BadSettings) as caught:
        load_issuer(setting)
    assert message in str(caught.value)


def test_an_issuer_must_be_an_object(tmp_path: Path) -> None:
    path = tmp_path / "issuer.json"
    path.write_text("[]")
    with pytest.raises(BadSettings, match="the issuer is no object"):
        load_issuer(str(path))


def test_without_the_package_that_signs_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.padding", None)
    with pytest.raises(BadSettings, match=r"needs the package cryptography.*build\.py --with cryptography"):
        load_issuer(json.dumps(ISSUER))


def test_a_key_is_no_part_of_a_message() -> None:
    with pytest.raises(BadSettings) as caught:
        load_issuer(json.dumps(ISSUER))
    assert "KEY" not in str(caught.value)


def test_only_one_kind_of_token() -> None:
    with pytest.raises(BadSettings, match="only one of them can be used"):
        TokenSource(Settings(request_token="abc", request_issuer=json.dumps(ISSUER)))
