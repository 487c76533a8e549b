"""Bearer tokens for other servers: one from the settings, or JSON Web Tokens that lfr signs itself."""

from __future__ import annotations

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from lfr.config.settings import Settings
from lfr.errors import BadSettings

_VALID_SECONDS: Final = 3600
_RENEWED_SECONDS: Final = 300
"""How long before its end a signed token is replaced."""

Signer: TypeAlias = Callable[[bytes], bytes]
"""Signs with RSASSA-PKCS1-v1_5 and SHA-256."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """A service account: its e-mail address, the id of its key, and the function that signs with that key."""

    email: str
    key_id: str
    signer: Signer


class TokenSource:
    """Returns the token for other servers, if one is set. Thread-safe. Raises BadSettings when it is made."""

    def __init__(self, settings: Settings) -> None:
        self._token = settings.request_token
        if not self._token.isascii() or any(char <= " " or char == "\x7f" for char in self._token):
            raise BadSettings("it has blanks or other characters that no token has", place="request.token")
        if self._token and settings.request_issuer:
            raise BadSettings("only one of them can be used", place="request.token and request.issuer")
        self._issuer = load_issuer(settings.request_issuer) if settings.request_issuer else None
        self._lock = threading.Lock()
        self._renew_at = 0.0

    def authorization(self) -> str:
        """Return the value of the header Authorization, or an empty text. (RFC 6750, 2.1)"""
        with self._lock:
            now = time.time()
            if self._issuer and now >= self._renew_at:
                self._token = sign_token(self._issuer, int(now))
                self._renew_at = now + _VALID_SECONDS - _RENEWED_SECONDS
            return f"Bearer {self._token}" if self._token else ""


def sign_token(issuer: Issuer, now: int) -> str:
    """Return a JSON Web Token that is valid for an hour from `now`, in seconds since the epoch. (RFC 7519)"""
    header = {"alg": "RS256", "typ": "JWT", **({"kid": issuer.key_id} if issuer.key_id else {})}
    claims: dict[str, str | int] = {"iat": now, "exp": now + _VALID_SECONDS}
    claims |= dict.fromkeys(("iss", "sub", "email"), issuer.email)
    signed = ".".join(_base64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{signed}.{_base64(issuer.signer(signed.encode()))}"


def load_issuer(setting: str) -> Issuer:
    """Return the issuer in a setting: JSON with `client_email`, `private_key` and perhaps `private_key_id`,
    or the path of a file with it. Raises BadSettings, also if the package that signs is not installed."""
    place = "request.issuer" if setting.lstrip().startswith("{") else setting
    try:
        text = setting if place != setting else Path(setting).read_text(encoding="utf-8")
        fields: Any = json.loads(text)
    except OSError as error:
        raise BadSettings(f"the issuer cannot be read: {error.strerror}", place=place) from None
    except ValueError:
        raise BadSettings("the issuer is not JSON", place=place) from None
    if not isinstance(fields, dict):
        raise BadSettings("the issuer is no object", place=place)
    email, key, key_id = (fields.get(name, "") for name in ("client_email", "private_key", "private_key_id"))
    if not all(isinstance(value, str) for value in (email, key, key_id)) or not email or not key:
        reason = "an issuer has client_email and private_key, and may have private_key_id: texts"
        raise BadSettings(reason, place=place)
    return Issuer(email, key_id, _signer(key, place))


def _signer(key: str, place: str) -> Signer:
    try:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise BadSettings(
            "signing tokens needs the package cryptography, which is not bundled: it is not pure Python",
            place=place,
            hint="install it for this Python (Debian: python3-cryptography), or build the file with "
            "python3 build.py --with cryptography",
        ) from None
    try:
        loaded = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError):
        raise BadSettings("its private_key cannot be read", place=place) from None
    if not isinstance(loaded, RSAPrivateKey):
        raise BadSettings("its private_key is no RSA key", place=place)
    return lambda signed: bytes(loaded.sign(signed, PKCS1v15(), SHA256()))


def _base64(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
