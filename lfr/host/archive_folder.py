"""Writes archives of workflows into a folder, each a file of its own."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import Any

from lfr.errors import CannotWrite
from lfr.host.files import make_folder, write_atomically
from lfr.operations.archive.archive import archive_file_name
from lfr.values.json import encode_json


def write_archive(folder: Path, document: dict[str, Any]) -> Path:
    """Write an archive into a folder and return its file, which is on the disk then. Raises CannotWrite.

    The folder is created if it is missing; only this user may read it then, and always the file. No other
    archive is replaced: a file of the same name with another content stays, and this one gets a number.
    """
    content = (encode_json(document) + "\n").encode()
    name = archive_file_name(document).removesuffix(".json")
    try:
        make_folder(folder)
        for number in count(1):
            file = folder / (f"{name}.json" if number == 1 else f"{name}.{number}.json")
            if not os.path.lexists(file):
                write_atomically(file, content, 0o600)
            elif not file.is_file() or file.read_bytes() != content:
                continue
            _sync(file)
            _sync(folder)
            return file
    except OSError as error:
        raise CannotWrite(f"cannot archive in {folder}: {error.strerror}") from None
    raise AssertionError("count ends never")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
