"""Writes and reads objects of S3, or of a server that speaks like it, by signed requests.

Buckets stand in the path (`https://SERVER/BUCKET/KEY`), which every such server understands.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from lfr.config.settings import Settings
from lfr.errors import BadInput, BadSettings, CannotWrite, LfrError, NotFound, Refused, Unreachable
from lfr.outbound.aws_signature import Credentials, signed_headers
from lfr.outbound.http_client import HttpClient, HttpResponse, NoResponse
from lfr.tasks.response import retry_delay
from lfr.tasks.uri_policy import BadLocation, WebLocation, parse_location
from lfr.values.printable import printable

SCHEME: Final = "s3://"

_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_MAX_KEY_BYTES: Final = 1024
_REGION: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_TRIES: Final = 3
_MAX_ERROR_BYTES: Final = 64 * 1024
"""How much of a response is read that is no object."""


@dataclass(frozen=True, slots=True)
class ObjectLocation:
    """An object: its bucket, and its key without a slash at the beginning."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"

    def is_in(self, entry: str) -> bool:
        """Return whether it is in `BUCKET` or `BUCKET/FOLDER`."""
        return f"{self.bucket}/{self.key}".startswith(entry.rstrip("/") + "/")


def parse_object_uri(uri: str, file_name: str = "") -> ObjectLocation:
    """Return the location of `s3://BUCKET/KEY`. A key that is empty or ends with a slash is a folder, and the
    object in it is called `file_name`. Raises BadInput."""
    bucket, _, key = uri.removeprefix(SCHEME).partition("/")
    if not key or key.endswith("/"):
        key += file_name
    reason = ""
    if not uri.startswith(SCHEME) or not _BUCKET.fullmatch(bucket):
        reason = "it is not s3://BUCKET/KEY with a bucket of letters, digits, dots and hyphens"
    elif not key:
        reason = "it names a bucket, and no object in it"
    elif not key.isprintable() or len(key.encode(errors="replace")) > _MAX_KEY_BYTES:
        reason = f"a key has up to {_MAX_KEY_BYTES:,} printable bytes"
    elif any(part in ("", ".", "..") for part in key.split("/")):
        reason = "a key has no empty part, . or .. between its slashes"
    if reason:
        raise BadInput(f"{printable(uri[:200])}: {reason}")
    return ObjectLocation(bucket, key)


class ObjectStore:
    """Writes and reads objects with the keys of the settings `s3.*`. Thread-safe. Raises BadSettings.

    Whoever is not trusted with all that these keys permit is checked before, by `ObjectLocation.is_in`.
    """

    def __init__(self, settings: Settings) -> None:
        self._region = settings.s3_region
        self._endpoint = _parse_endpoint(settings)
        self._credentials = _read_credentials(settings)
        self._timeout_seconds = settings.s3_timeout_seconds

    def put(self, location: ObjectLocation, content: bytes, content_type: str) -> None:
        """Write or replace an object; it is stored durably then. Raises CannotWrite."""
        try:
            self._request("PUT", location, {"Content-Type": content_type}, content, _MAX_ERROR_BYTES)
        except LfrError as error:
            raise CannotWrite(error.message, hint=error.hint) from None

    def get(self, location: ObjectLocation, max_bytes: int) -> bytes:
        """Return the content of an object. Raises NotFound, Refused, Unreachable, and BadInput if it has more
        than `max_bytes`."""
        response = self._request("GET", location, {}, b"", max(max_bytes, _MAX_ERROR_BYTES))
        if response.is_cut or len(response.content) > max_bytes:
            raise BadInput(f"{location}: it has more than {max_bytes:,} bytes")
        return response.content

    def _request(
        self, method: str, location: ObjectLocation, headers: dict[str, str], content: bytes, max_bytes: int
    ) -> HttpResponse:
        """Send a request, up to three times while the server is busy, and return its response if that is a
        success. Raises NotFound, Refused, Unreachable."""
        client = HttpClient(max_bytes, lambda location, address: "")  # the operator names the server
        path = f"{self._endpoint.path.rstrip('/')}/{location.bucket}/{quote(location.key, safe='-_.~/')}"
        target = replace(self._endpoint, path=path)
        place = f"{location} at {self._endpoint.origin}"
        deadline = time.monotonic() + self._timeout_seconds
        for number in range(1, _TRIES + 1):
            now = datetime.now(UTC)
            signed = signed_headers(self._credentials, self._region, method, target, headers, content, now)
            remaining = max(deadline - time.monotonic(), 0.001)
            try:
                response = client.request(method, target, signed, content or None, timeout_seconds=remaining)
            except NoResponse as problem:
                error: LfrError = Unreachable(f"{place}: {problem}")
            else:
                if response.is_ok:
                    return response
                error = _error_of(response, place, self._region)
            delay = retry_delay(number)
            if not isinstance(error, Unreachable) or time.monotonic() + delay >= deadline:
                break
            if number < _TRIES:
                time.sleep(delay)
        raise error


def _parse_endpoint(settings: Settings) -> WebLocation:
    if not _REGION.fullmatch(settings.s3_region):
        raise BadSettings("it is no region, such as eu-central-1", place="s3.region")
    uri = settings.s3_endpoint or f"https://s3.{settings.s3_region}.amazonaws.com"
    try:
        location = parse_location(uri)
    except BadLocation as error:
        raise BadSettings(str(error), place="s3.endpoint") from None
    if not isinstance(location, WebLocation) or location.query:
        raise BadSettings("it is no URL of a server, such as https://minio.example:9000", place="s3.endpoint")
    return location


def _read_credentials(settings: Settings) -> Credentials:
    keys = settings.s3_access_key, settings.s3_secret_key, settings.s3_session_token
    for name, key in zip(("access_key", "secret_key", "session_token"), keys, strict=True):
        if not key.isascii() or any(char <= " " or char == "\x7f" for char in key):
            raise BadSettings("it has blanks or other characters that no key has", place=f"s3.{name}")
    if not settings.s3_access_key or not settings.s3_secret_key:
        hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or s3.access_key and s3.secret_key"
        raise BadSettings("there is no key for S3", hint=hint)
    return Credentials(*keys)


_NOT_FOUND: Final = {
    "NoSuchBucket": "there is no such bucket",
    "NoSuchKey": "there is no such object",
}

_REFUSED: Final = {
    "AccessDenied": "the key for S3 does not permit it",
    "AllAccessDisabled": "the bucket is closed",
    "InvalidAccessKeyId": "the server does not know the key in s3.access_key",
    "SignatureDoesNotMatch": "s3.secret_key is not the key that belongs to s3.access_key",
    "ExpiredToken": "the key for S3 has expired, with its s3.session_token",
    "InvalidToken": "s3.session_token does not belong to s3.access_key",
    "RequestTimeTooSkewed": "the clocks of this machine and of the server differ by too much",
    "EntityTooLarge": "the server does not store objects of this size",
}
"""Why a server refuses a request, by the code in its answer. (Amazon S3, API Reference, "Error responses")"""

_POLICY: Final = "its policy must permit s3:PutObject to write; s3:GetObject and s3:ListBucket to read"


def _error_of(response: HttpResponse, place: str, region: str) -> LfrError:
    """Return the error that a response means, which is no success. `place` is where."""
    code = _element(response.content, "Code")
    if reason := _NOT_FOUND.get(code, ""):
        return NotFound(f"{place}: {reason}")
    if reason := _REFUSED.get(code, ""):
        return Refused(f"{place}: {reason}", hint=_POLICY if code == "AccessDenied" else "")
    right_region = response.headers.get("x-amz-bucket-region") or _element(response.content, "Region")
    if right_region and right_region != region:
        reason = f"the bucket is in the region {right_region[:64]!r}, not {region!r}"
        return Refused(f"{place}: {reason}", hint="set s3.region, or AWS_REGION")
    detail = f": {code}: {_element(response.content, 'Message')}" if code else ""
    text = f"{place}: the server answers {printable(response.status + detail)}"
    return Unreachable(text) if response.code >= 500 or response.code == 429 else Refused(text)


def _element(document: bytes, name: str) -> str:
    """Return the text of an element of a small XML document without attributes, or an empty text."""
    match = re.search(rb"<%b>([^<]{0,300})" % name.encode(), document[:_MAX_ERROR_BYTES])
    return match[1].decode(errors="replace").strip() if match else ""
