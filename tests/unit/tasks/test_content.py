"""Content of resources: which types are supported; what is encoded can be decoded."""

from __future__ import annotations

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from lfr.tasks.content import (
    BadContent,
    ContentType,
    Format,
    UnknownType,
    decode,
    detect_content_type,
    encode,
    parse_content_type,
    type_by_extension,
)
from lfr.values.json import Json

JSON = ContentType("application/json", Format.JSON)
SEQUENCE = ContentType("application/json-seq", Format.JSON_SEQUENCE)
YAML = ContentType("application/yaml", Format.YAML)
TEXT = ContentType("text/plain", Format.TEXT)
LATIN = ContentType("text/plain", Format.TEXT, "iso-8859-1")


@pytest.mark.parametrize(
    ("text", "format", "charset"),
    [
        ("application/json", Format.JSON, "utf-8"),
        ("Application/JSON; Charset=UTF-8", Format.JSON, "utf-8"),
        ("application/problem+json", Format.JSON, "utf-8"),
        ("application/yaml", Format.YAML, "utf-8"),
        ("text/x-yaml ; charset=utf8", Format.YAML, "utf-8"),
        ("application/openapi+yaml", Format.YAML, "utf-8"),
        ("text/plain+json", Format.JSON, "utf-8"),
        ("text/plain+yaml; charset=utf-8", Format.YAML, "utf-8"),
        ("application/json-seq", Format.JSON_SEQUENCE, "utf-8"),
        ("application/geo+json-seq", Format.JSON_SEQUENCE, "utf-8"),
        ("text/a+b", Format.TEXT, "utf-8"),
        ('text/csv; header=present; charset="iso-8859-1"', Format.TEXT, "iso-8859-1"),
        ("text/plain", Format.TEXT, "utf-8"),
    ],
)
def test_supported_media_types(text: str, format: Format, charset: str) -> None:
    assert parse_content_type(text) == ContentType(text, format, charset)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "json",
        "text/",
        "a/b+jso",
        "application/octet-stream",
        "text/plain; charset=rot13",
        "text/plain\r\nX: y",
        "text/plain; x=é",
    ],
)
def test_unsupported_media_types(text: str) -> None:
    assert parse_content_type(text) is None


@pytest.mark.parametrize(
    ("path", "format"),
    [
        ("/a/b.json", Format.JSON),
        ("/a.b/C.YML", Format.YAML),
        ("/x.yaml", Format.YAML),
        ("/x.csv", Format.TEXT),
        ("/x.json-seq", Format.JSON_SEQUENCE),
        ("/x.json/y", None),
        ("/json", None),
        ("/x.tar", None),
        ("/", None),
    ],
)
def test_extensions(path: str, format: Format | None) -> None:
    type = type_by_extension(path)
    assert (type and type.format) == format


@pytest.mark.parametrize(
    ("header", "path", "format"),
    [
        ("", "/x.yaml", Format.YAML),
        ("application/json", "/x.yaml", Format.JSON),
        ("application/yaml", "/x", Format.YAML),
        ("text/plain; charset=utf-8", "/x.yaml", Format.YAML),
        ("application/octet-stream", "/x.json", Format.JSON),
        ("text/html", "/x", Format.TEXT),
        ("text/plain; charset=iso-8859-1", "/x.txt", Format.TEXT),
    ],
)
def test_the_header_decides_for_data_else_the_extension(header: str, path: str, format: Format) -> None:
    assert detect_content_type(header, path).format is format


def test_a_server_knows_the_charset_of_its_text() -> None:
    assert detect_content_type("text/plain; charset=iso-8859-1", "/x.txt").charset == "iso-8859-1"


@pytest.mark.parametrize(("header", "message"), [("", "does not end in"), ("image/png", "'image/png'")])
def test_an_unsupported_type_is_refused_with_what_would_help(header: str, message: str) -> None:
    with pytest.raises(UnknownType) as caught:
        detect_content_type(header, "/x")
    assert message in str(caught.value)
    assert "the parameter content-type decides" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "type", "value"),
    [
        (b' {"a": [1, null]}\n', JSON, {"a": [1, None]}),
        (b"\xef\xbb\xbf[]", JSON, []),
        (b"5", JSON, 5),
        (b'{"x": 12}\n{"x": 3}\r\n\n[]\n', JSON, [{"x": 12}, {"x": 3}, []]),
        (b'{"x": 12}\n{"x": 3}', JSON, [{"x": 12}, {"x": 3}]),
        (b'\x1e{"x":\n 12}\n\x1e{"x": 3}\n', JSON, [{"x": 12}, {"x": 3}]),
        (b'\x1e{"x": 12}\n', JSON, [{"x": 12}]),
        (b'\x1e{"x": 12}\n', SEQUENCE, [{"x": 12}]),
        (b'{"x": 12}', SEQUENCE, [{"x": 12}]),
        (b"", SEQUENCE, []),
        (b"\x1e\x1e1\n\x1e\x1enull\n\x1e", SEQUENCE, [1, None]),
        (b'\x1e[1]\x1e"a"\x1e{}', SEQUENCE, [[1], "a", {}]),
        (b"a: 2026-01-31\nb: [yes, 1.5]\n", YAML, {"a": "2026-01-31", "b": [True, 1.5]}),
        (b"", YAML, {}),
        ("grün\r\n".encode(), TEXT, {"text": "grün\r\n"}),
        (b"", TEXT, {"text": ""}),
        (b"gr\xfcn", LATIN, {"text": "grün"}),
    ],
)
def test_content_is_decoded(content: bytes, type: ContentType, value: Json) -> None:
    assert decode(content, type) == value


@pytest.mark.parametrize(
    ("content", "type", "reason"),
    [
        (b'{\n  "a": ]', JSON, "not JSON: expecting value, at line 2, column 8"),
        (b"", JSON, "not JSON: expecting value, at line 1, column 1"),
        (b"{} {}", JSON, "there is more after the value, at line 1, column 4"),
        (b"{}\n{} {}", JSON, "there is more after the value, at line 2, column 4"),
        (b"{}\n}", JSON, "expecting value, at line 2, column 1"),
        (
            b"\x1e12\x1e34\n",
            SEQUENCE,
            "a number or a word without a line break after it may be cut off, at line 1",
        ),
        (b'\x1e{"a":\n\x1e{}\n', SEQUENCE, "not JSON:"),
        (b"[NaN]", JSON, "NaN is not JSON"),
        (b"[1e999]", JSON, "a number that is too big"),
        (b'["\\ud800"]', JSON, "half of a surrogate pair"),
        (b"[" * 100_000, JSON, "nested more than"),
        (b"9" * 5000, JSON, "more than 4000 digits"),
        (b"a: b: c", YAML, "not YAML:"),
        (b"x: !!python/object/apply:os.system [id]", YAML, "is not JSON"),
        (b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n" + b"d: " + b"x" * 300_000, YAML, "characters"),
        (b"\xff{}", JSON, "not utf-8: byte 0xff in line 1"),
        (b"a\nb\xe9", TEXT, "not utf-8: byte 0xe9 in line 2"),
    ],
)
def test_invalid_content_is_refused_with_the_position(content: bytes, type: ContentType, reason: str) -> None:
    with pytest.raises(BadContent) as caught:
        decode(content, type)
    assert reason in str(caught.value)


@pytest.mark.slow
def test_an_alias_bomb_is_refused() -> None:
    bomb = b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 10):
        aliases = b", ".join([b"*a%d" % (level - 1)] * 10)
        bomb += b"a%d: &a%d [%s]\n" % (level, level, aliases)
    with pytest.raises(BadContent, match="too big with all its aliases"):
        decode(bomb, YAML)


@pytest.mark.parametrize(
    ("value", "type", "reason"),
    [
        ({"a": 1}, TEXT, '{"text": ...} and nothing else'),
        ({"text": 1}, TEXT, '{"text": ...} and nothing else'),
        ([], TEXT, '{"text": ...} and nothing else'),
        (
            {"text": "€"},
            LATIN,
            "'€' is no character of iso-8859-1",
        ),
        (["\ud800"], JSON, "is no character of utf-8"),
        ({"x": "y" * 600_000}, YAML, "store it as JSON"),
        ({"x": "y" * 300_000}, YAML, "store it as JSON"),
    ],
)
def test_a_value_that_cannot_be_encoded_is_refused(value: Json, type: ContentType, reason: str) -> None:
    with pytest.raises(BadContent) as caught:
        encode(value, type)
    assert reason in str(caught.value)


def test_encoded_content_is_readable() -> None:
    assert encode({"grün": [1, {}]}, JSON) == '{\n  "grün": [\n    1,\n    {}\n  ]\n}\n'.encode()
    assert encode({"b": "grün", "a": [1]}, YAML) == "b: grün\na:\n- 1\n".encode()
    assert encode({"text": "as it is"}, TEXT) == b"as it is"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.sampled_from([JSON, YAML]))
def test_encoded_values_are_decoded_again(value: Json, type: ContentType) -> None:
    assert decode(encode(value, type), type) == value


@given(st.lists(VALUES, max_size=4))
def test_an_encoded_sequence_is_decoded_again(values: list[Json]) -> None:
    assert decode(encode(values, SEQUENCE), SEQUENCE) == values


@given(TEXTS)
def test_encoded_text_is_decoded_again(text: str) -> None:
    assert decode(encode({"text": text}, TEXT), TEXT) == {"text": text.removeprefix("\ufeff")}


BYTES = st.binary(max_size=60)


@pytest.mark.parametrize("type", [JSON, YAML, TEXT])
@pytest.mark.parametrize("expected", [True, False])
def test_random_bytes_are_values_and_are_refused(type: ContentType, expected: bool) -> None:
    """So the test below has examples of both."""

    def is_value(content: bytes) -> bool:
        try:
            decode(content, type)
        except BadContent:
            return False
        return True

    find(BYTES, lambda content: is_value(content) is expected)


@given(BYTES, st.sampled_from([JSON, YAML, TEXT]))
def test_any_bytes_are_a_value_or_refused(content: bytes, type: ContentType) -> None:
    try:
        value = decode(content, type)
    except BadContent:
        return
    assert decode(encode(value, type), type) == value
