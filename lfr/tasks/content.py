"""Bytes of a resource -> what a step hands on, and back: JSON and YAML as data, text as `{"text": ...}`."""

from __future__ import annotations

import json

from lfr.tasks.content_types import ContentType, Format
from lfr.values.json import Json
from lfr.values.literals import BadLiteral, parse_json, parse_yaml


class BadContent(ValueError):
    """Bytes that cannot be read, or a value that cannot be written; the text says why."""


def decode(content: bytes, type: ContentType) -> Json:
    """The value that was written. Raises BadContent, with the place of the error."""
    text = _decoded(content, type)
    try:
        match type.form:
            case Format.JSON:
                return _read_json(text)
            case Format.YAML:
                return parse_yaml(text, 0, len(text))
            case Format.TEXT:
                return {"text": text}
    except BadLiteral as error:
        raise BadContent(f"not {error.message}{_place(text, error.at)}") from None


def _decoded(content: bytes, type: ContentType) -> str:
    try:
        return content.decode("utf-8-sig" if type.charset == "utf-8" else type.charset)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadContent(f"not {type.charset}: byte 0x{content[error.start]:02x} in line {line}") from None


def _read_json(text: str) -> Json:
    start = len(text) - len(text.lstrip(" \t\r\n"))
    value, end = parse_json(text, start)
    rest = text[end:].lstrip(" \t\r\n")
    if rest:
        raise BadLiteral("JSON: there is more behind the value", len(text) - len(rest))
    return value


def _place(text: str, at: int | None) -> str:
    if at is None:
        return ""
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return f", at line {line}, column {column}"


def encode(value: Json, type: ContentType) -> bytes:
    """The bytes to write. Text is taken from `{"text": ...}`, as `decode` gives it. Raises BadContent."""
    match type.form:
        case Format.JSON:
            text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
        case Format.YAML:
            text = _yaml(value)
        case Format.TEXT:
            text = _text(value, type)
    try:
        return text.encode(type.charset)
    except UnicodeEncodeError as error:
        raise BadContent(f"{text[error.start]!r} is no character of {type.charset}") from None


def _text(value: Json, type: ContentType) -> str:
    if isinstance(value, dict) and list(value) == ["text"] and isinstance(value["text"], str):
        return value["text"]
    raise BadContent(f'to be stored as {type.name} the input must be {{"text": ...}} and nothing else')


def _yaml(value: Json) -> str:
    from lfr.values.yaml import MAX_YAML_LENGTH, encode_yaml  # here: most resources are JSON

    text = encode_yaml(value)
    if text is None:
        raise BadContent(
            f"more than {MAX_YAML_LENGTH:,} characters of YAML, or deeply nested; store it as JSON"
        )
    return text
