"""The content of resources: detects its type, decodes and encodes it. Text is `{"text": ...}`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from lfr.values.checks import Check
from lfr.values.json import Json
from lfr.values.literals import BadLiteral, parse_json, parse_yaml


class UnknownType(ValueError):
    """The type of some content is missing or not supported; the text says so."""


class BadContent(ValueError):
    """Bytes that cannot be decoded, or a value that cannot be encoded; the text says why."""


class Format(Enum):
    """How content is written."""

    JSON = "json"
    JSON_SEQUENCE = "json-seq"
    YAML = "yaml"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class ContentType:
    """A supported media type: the value of the header, and its format."""

    name: str
    format: Format
    charset: str = "utf-8"


_JSON: Final = ContentType("application/json", Format.JSON)
_YAML: Final = ContentType("application/yaml", Format.YAML)  # RFC 9512

EXTENSIONS: Final = {
    ".json": _JSON,
    ".json-seq": ContentType("application/json-seq", Format.JSON_SEQUENCE),  # RFC 7464
    ".yaml": _YAML,
    ".yml": _YAML,
    ".txt": ContentType("text/plain; charset=utf-8", Format.TEXT),
    ".md": ContentType("text/markdown; charset=utf-8", Format.TEXT),
    ".csv": ContentType("text/csv; charset=utf-8", Format.TEXT),
}

MEDIA_TYPES: Final = {
    **dict.fromkeys(("application/json", "text/json"), Format.JSON),
    "application/json-seq": Format.JSON_SEQUENCE,
    **dict.fromkeys(("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"), Format.YAML),
}

CHARSETS: Final = ("utf-8", "us-ascii", "iso-8859-1", "windows-1252")

SUPPORTED: Final = "JSON, YAML and text/*"
"""In messages; JSON text sequences count as JSON."""


def parse_content_type(text: str) -> ContentType | None:
    """Return the type that a Content-Type names, or None if it is not supported. (RFC 9110, 8.3)"""
    media_type, *parameters = (part.strip() for part in text.lower().split(";"))
    values = dict(parameter.partition("=")[::2] for parameter in parameters)
    charset = values.get("charset", "utf-8").strip('"').replace("utf8", "utf-8")
    format = MEDIA_TYPES.get(media_type)
    suffix = media_type.rpartition("+")[2] if "+" in media_type else ""
    if format is None and suffix in ("json", "yaml", "json-seq"):  # RFC 6839, 9512, 8091
        format = Format(suffix)
    if format is None and media_type.startswith("text/") and len(media_type) > len("text/"):
        format = Format.TEXT
    if format is None or charset not in CHARSETS or not (text.isascii() and text.isprintable()):
        return None
    return ContentType(text, format, charset)


def type_by_extension(path: str) -> ContentType | None:
    """Return the type that a file name's extension stands for, or None."""
    name = path.rpartition("/")[2].lower()
    return EXTENSIONS.get("." + name.rpartition(".")[2]) if "." in name else None


def detect_content_type(header: str, path: str) -> ContentType:
    """Return the type of loaded content, from its header Content-Type (empty for a file) and its path.

    A header for JSON or YAML decides, then the extension, then a header for text, which servers send with
    anything. Raises UnknownType.
    """
    by_header, by_extension = parse_content_type(header), type_by_extension(path)
    is_text = by_header is not None and by_header.format is Format.TEXT
    if by_header and (not is_text or by_extension is None or by_extension.format is Format.TEXT):
        return by_header
    if by_extension:
        return by_extension
    reason = f"its Content-Type is {header[:80]!r}" if header else "its name does not end in .json or .yaml"
    raise UnknownType(f"{reason}, and only {SUPPORTED} can be loaded: the parameter content-type decides")


CONTENT_TYPE: Final = Check(
    f"a media type: {SUPPORTED}", lambda value: parse_content_type(value) if isinstance(value, str) else None
)


def decode(content: bytes, type: ContentType) -> Json:
    """Return the decoded content. Raises BadContent with line and column of the mistake."""
    try:
        text = content.decode("utf-8-sig" if type.charset == "utf-8" else type.charset)
        match type.format:
            case Format.JSON:
                return _parse_json(text)
            case Format.JSON_SEQUENCE:
                return _parse_sequence(text, 0)
            case Format.YAML:
                return parse_yaml(text, 0, len(text))
            case Format.TEXT:
                return {"text": text}
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadContent(f"not {type.charset}: byte 0x{content[error.start]:02x} in line {line}") from None
    except BadLiteral as error:
        raise BadContent(f"not {error.message}{_position(text, error.offset)}") from None


_RECORD_SEPARATOR: Final = "\x1e"
_BLANKS: Final = re.compile(r"[ \t\r\n]*")
_SEPARATORS: Final = re.compile(r"[ \t\r\n\x1e]*")


def _parse_json(text: str) -> Json:
    """Return the value of a JSON text. Several texts, as in a JSON text sequence, are a list of their values:
    each begins on a line of its own, or with a record separator."""
    start = _end_of(_BLANKS, text, 0)
    if text.startswith(_RECORD_SEPARATOR, start):
        return _parse_sequence(text, start)
    value, end = parse_json(text, start)
    next_start = _end_of(_BLANKS, text, end)
    if next_start == len(text):
        return value
    if "\n" in text[end:next_start]:
        return [value, *_parse_sequence(text, next_start)]
    raise BadLiteral("JSON: there is more after the value", next_start)


def _parse_sequence(text: str, start: int) -> list[Json]:
    """Return the values of a JSON text sequence. (RFC 7464) The record separators may be missing if each text
    begins on a line of its own. Raises BadLiteral, also for a number or word that may have been cut off."""
    values: list[Json] = []
    start = _end_of(_SEPARATORS, text, start)
    while start < len(text):
        value, end = parse_json(text, start)
        values.append(value)
        start = _end_of(_SEPARATORS, text, end)
        between = text[end:start]
        if between.startswith(_RECORD_SEPARATOR) and not isinstance(value, dict | list | str):
            raise BadLiteral("JSON: a number or a word without a line break after it may be cut off", end)
        if start < len(text) and "\n" not in between and _RECORD_SEPARATOR not in between:
            raise BadLiteral("JSON: there is more after the value", start)
    return values


def _end_of(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start


def _position(text: str, offset: int | None) -> str:
    if offset is None:
        return ""
    line, column = text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
    return f", at line {line}, column {column}"


def encode(value: Json, type: ContentType) -> bytes:
    """Return a value as bytes of this type; for a text type it must be `{"text": ...}`. Raises BadContent."""
    match type.format:
        case Format.JSON:
            text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
        case Format.JSON_SEQUENCE:
            values = value if isinstance(value, list) else [value]
            text = "".join(f"\x1e{json.dumps(each, ensure_ascii=False)}\n" for each in values)
        case Format.YAML:
            text = _encode_yaml(value)
        case Format.TEXT:
            if not isinstance(value, dict) or list(value) != ["text"] or not isinstance(value["text"], str):
                subject = f"to be stored as {type.name} the input"
                raise BadContent(f'{subject} must be {{"text": ...}} and nothing else')
            text = value["text"]
    try:
        return text.encode(type.charset)
    except UnicodeEncodeError as error:
        raise BadContent(f"{text[error.start]!r} is no character of {type.charset}") from None


def _encode_yaml(value: Json) -> str:
    from lfr.values.yaml import MAX_YAML_LENGTH, encode_yaml  # here: most resources are JSON

    text = encode_yaml(value)
    if text is None:
        limit = f"{MAX_YAML_LENGTH:,} characters of YAML"
        raise BadContent(f"more than {limit}, or deeply nested; store it as JSON")
    return text
