"""Writes archives of workflows to S3, and reads them; or writes them into a folder, if that is named."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from lfr.config.settings import Settings
from lfr.errors import BadInput
from lfr.host.archive_folder import write_archive
from lfr.operations.archive.archive import archive_file_name
from lfr.operations.prune import WriteArchive
from lfr.outbound.object_store import SCHEME, ObjectLocation, ObjectStore, parse_object_uri
from lfr.values.json import MAX_DOCUMENT_DEPTH, InvalidJson, Json, decode_json, encode_json

_MEDIA_TYPE: Final = "application/json"
_DIGEST_LENGTH: Final = 12


def parse_archive_uri(uri: str, document: dict[str, Any]) -> ObjectLocation:
    """Return the location for an archive. A folder, `s3://BUCKET/` or what ends with a slash, gets the file
    name of the archive. Raises BadInput."""
    return parse_object_uri(uri, archive_file_name(document))


def write_archive_object(settings: Settings, location: ObjectLocation, document: dict[str, Any]) -> None:
    """Write an archive to S3, or replace it there. Raises CannotWrite, BadSettings."""
    ObjectStore(settings).put(location, _content(document), _MEDIA_TYPE)


def read_archive_object(settings: Settings, location: ObjectLocation, max_bytes: int) -> bytes:
    """Return the content of an archive in S3. Raises NotFound, Refused, Unreachable, BadSettings, and
    BadInput if it is larger."""
    return ObjectStore(settings).get(location, max_bytes)


def parse_archive_object(location: ObjectLocation, content: bytes) -> Json:
    """Return the document that an object holds, which nobody has checked. Raises BadInput if it is not
    JSON."""
    try:
        return decode_json(content, MAX_DOCUMENT_DEPTH)
    except InvalidJson as error:
        raise BadInput(f"{location}: it is not JSON: {error}") from None


def archive_writer(settings: Settings, folder: str | Path) -> WriteArchive:
    """Return the function that writes archives of many workflows into a folder, of this machine or of S3
    (`s3://BUCKET/FOLDER`). It replaces no other archive: an object's name has a digest of its content.
    Raises BadInput, BadSettings."""
    uri = str(folder)
    if not uri.startswith(SCHEME):
        return partial(write_archive, Path(folder))
    parse_object_uri(f"{uri.rstrip('/')}/", "archive.json")
    return partial(_write_into, ObjectStore(settings), f"{uri.rstrip('/')}/")


def is_in_buckets(folder: str, buckets: Sequence[str]) -> bool:
    """Return whether the setting `archive.buckets` has a folder of S3; true for any other folder. Raises
    BadInput."""
    if not folder.startswith(SCHEME):
        return True
    return any(map(parse_object_uri(f"{folder.rstrip('/')}/", "archive.json").is_in, buckets))


def _write_into(objects: ObjectStore, folder: str, document: dict[str, Any]) -> None:
    content = _content(document)
    digest = hashlib.sha256(content).hexdigest()[:_DIGEST_LENGTH]
    name = archive_file_name(document).removesuffix(".json")
    objects.put(parse_object_uri(folder, f"{name}.{digest}.json"), content, _MEDIA_TYPE)


def _content(document: dict[str, Any]) -> bytes:
    return (encode_json(document) + "\n").encode()
