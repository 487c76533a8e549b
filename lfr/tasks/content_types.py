"""How the content of a resource is written: by its Content-Type, and by the ending of its name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from lfr.values.checks import Check
from lfr.values.json import Json


class UnknownType(ValueError):
    """Content of which nobody says how it is written, or not so that we understand it."""


class Format(Enum):
    """How content is written."""

    JSON = "json"
    YAML = "yaml"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class ContentType:
    """A media type that we understand, as it is told to others, with what it means to us."""

    name: str
    form: Format
    charset: str = "utf-8"


_JSON: Final = ContentType("application/json", Format.JSON)
_YAML: Final = ContentType("application/yaml", Format.YAML)  # RFC 9512

EXTENSIONS: Final = {
    ".json": _JSON,
    ".yaml": _YAML,
    ".yml": _YAML,
    ".txt": ContentType("text/plain; charset=utf-8", Format.TEXT),
    ".md": ContentType("text/markdown; charset=utf-8", Format.TEXT),
    ".csv": ContentType("text/csv; charset=utf-8", Format.TEXT),
}

MEDIA_TYPES: Final = {
    "application/json": Format.JSON,
    "text/json": Format.JSON,
    "application/yaml": Format.YAML,
    "application/x-yaml": Format.YAML,
    "text/yaml": Format.YAML,
    "text/x-yaml": Format.YAML,
}

CHARSETS: Final = ("utf-8", "us-ascii", "iso-8859-1", "windows-1252")

SUPPORTED: Final = "JSON, YAML and text/*"


def parse_content_type(text: str) -> ContentType | None:
    """What a Content-Type says (RFC 9110, 8.3), or None if it is none that we understand."""
    media, *parameters = (part.strip() for part in text.lower().split(";"))
    given = dict(parameter.partition("=")[::2] for parameter in parameters)
    charset = given.get("charset", "utf-8").strip('"').replace("utf8", "utf-8")
    form = MEDIA_TYPES.get(media)
    if form is None and media.startswith("text/") and len(media) > len("text/"):
        form = Format.TEXT
    if form is None and media.endswith(("+json", "+yaml")):
        form = Format(media[-4:])
    if form is None or charset not in CHARSETS or not (text.isascii() and text.isprintable()):
        return None
    return ContentType(text, form, charset)


def type_by_extension(path: str) -> ContentType | None:
    """What the ending of a file's name says, or None."""
    name = path.rpartition("/")[2].lower()
    return EXTENSIONS.get("." + name.rpartition(".")[2]) if "." in name else None


def detect_content_type(told: str, path: str) -> ContentType:
    """What was loaded, by the Content-Type that came with it, which is empty for a file, and its ending.

    JSON and YAML are believed. Servers tell text/plain or application/octet-stream of anything, so
    else the ending decides, where it says anything. Raises UnknownType.
    """
    by_type, by_ending = parse_content_type(told), type_by_extension(path)
    if by_type and (by_type.form is not Format.TEXT or by_ending is None or by_ending.form is Format.TEXT):
        return by_type
    if by_ending:
        return by_ending
    said = f"its Content-Type is {told[:80]!r}" if told else "its name does not end in .json or .yaml"
    raise UnknownType(f"{said}, and only {SUPPORTED} can be loaded: the parameter content-type decides")


def _read_parameter(value: Json) -> ContentType | None:
    return parse_content_type(value) if isinstance(value, str) else None


CONTENT_TYPE: Final = Check(f"a media type: {SUPPORTED}", _read_parameter)
