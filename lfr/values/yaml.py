"""Reads and writes YAML in pure Python: YAML 1.1 as PyYAML's safe loader reads it, limited to JSON values.

Dates stay text, and keys stay the text that is written (`on: 1` has the key "on"). Anything else that is
not JSON is an error: other tags, keys that are lists, numbers that are not finite.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn

import yaml

from lfr.values.json import Json
from lfr.values.literals import MAX_DEPTH, MAX_DIGITS, BadLiteral, check_text, too_deep

MAX_YAML_LENGTH: Final = 256 * 1024
"""Characters of a YAML text. PyYAML needs up to three seconds for so many."""

MAX_YAML_SIZE: Final = 4 * MAX_YAML_LENGTH
"""Values and characters of a YAML text with all aliases written out."""

_LEAST_YAML_SIZE: Final = 64 * 1024
_MOST_GROWTH: Final = 16
"""A short text may become this large, or this many times as large: a flow may have many literals."""

_TAG: Final = "tag:yaml.org,2002:"
_TEXTS: Final = frozenset(_TAG + name for name in ("str", "timestamp", "value"))
_KEYS: Final = _TEXTS | {_TAG + name for name in ("int", "float", "bool", "null")}


def parse_yaml_document(body: str, start: int) -> Json:
    """Return the value of a YAML text; an empty text is `{}`. Raises BadLiteral.

    `start` is the offset of the body in the text that holds it; offsets of errors count from there.
    """
    try:
        loader = yaml.SafeLoader(body)
        node = loader.get_single_node()
        return {} if node is None else _Converter(loader, start, _size_limit(body)).value(node, 1)
    except BadLiteral:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        offset = None if mark is None else start + min(mark.index, len(body))
        raise BadLiteral(_message(error), offset) from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        offset = start + getattr(error, "position", 0)
        raise BadLiteral(f"YAML: {str(error).splitlines()[0]}", offset) from None
    except RecursionError:
        raise BadLiteral(too_deep("YAML")) from None
    except (ValueError, OverflowError):  # PyYAML's scanner: "\\UFFFFFFFF", or a %YAML of 5000 digits
        raise BadLiteral("YAML: a number in it is too big") from None


class KeyLocations:
    """Where the keys of a YAML text stand. It reads the text once: it may have many mistakes."""

    def __init__(self, body: str) -> None:
        try:
            self._root = yaml.SafeLoader(body).get_single_node()
        except (yaml.YAMLError, RecursionError, ValueError, OverflowError):
            self._root = None
        self._pairs: dict[int, dict[str, tuple[yaml.Node, yaml.Node]]] = {}  # by the id of a node

    def find(self, path: Sequence[str]) -> int | None:
        """Return the offset of the key to which a path of keys leads, or of the last one on it that the text
        has; None for a text without any, and one that cannot be read."""
        offset, node = None, self._root
        for key in path:
            pair = self._pairs_of(node).get(key)
            if pair is None:
                break
            offset, node = pair[0].start_mark.index, pair[1]
        return offset

    def _pairs_of(self, node: yaml.Node | None) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return the pairs of a mapping by their keys: of equal ones the first, as far as they are texts."""
        if id(node) not in self._pairs:
            pairs = node.value if isinstance(node, yaml.MappingNode) else ()
            named = [pair for pair in reversed(pairs) if isinstance(pair[0].value, str)]
            self._pairs[id(node)] = {pair[0].value: pair for pair in named}
        return self._pairs[id(node)]


def _message(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "cannot be read"
    if problem.startswith("but "):
        problem = f"{error.context}, {problem}"
    return f"YAML: {problem}"


def _size_limit(body: str) -> int:
    return min(MAX_YAML_SIZE, max(_LEAST_YAML_SIZE, _MOST_GROWTH * len(body)))


class _Converter:
    """Converts the nodes of one YAML document to values.

    PyYAML would share the values of aliases, which hides the size of the whole, and nested `<<` would
    grow without bound. Here a value counts each time it occurs.
    """

    def __init__(self, loader: yaml.SafeLoader, start: int, budget: int) -> None:
        self._loader = loader
        self._start = start
        self._budget = budget

    def value(self, node: yaml.Node, depth: int) -> Json:
        self._enter(node, depth)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.value(item, depth + 1) for item in node.value]
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, depth)
        self._fail(node, f"{_short(node.tag)} is not JSON")

    def _enter(self, node: yaml.Node, depth: int) -> None:
        self._count(node, 1)
        if depth > MAX_DEPTH and not isinstance(node, yaml.ScalarNode):
            self._fail(node, f"nested more than {MAX_DEPTH} levels deep, or inside itself")

    def _count(self, node: yaml.Node, size: int) -> None:
        self._budget -= size
        if self._budget < 0:
            self._fail(node, "too big with all its aliases written out")

    def _fail(self, node: yaml.Node, message: str) -> NoReturn:
        raise BadLiteral(f"YAML: {message}", self._start + node.start_mark.index)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Json]:
        values: dict[str, Json] = {}
        own: list[tuple[str, Json]] = []
        for key, value in node.value:
            if key.tag == _TAG + "merge":
                for merged in self._merged(value):
                    self._enter(merged, depth + 1)
                    values.update(self._mapping(merged, depth + 1))
            else:
                own.append((self._key(key), self.value(value, depth + 1)))
        values.update(own)
        return values

    def _merged(self, node: yaml.Node) -> Iterator[yaml.MappingNode]:
        """Yield the mappings of a `<<`, the weakest first."""
        for merged in node.value[::-1] if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(merged, yaml.MappingNode):
                self._fail(merged, "<< stands before mappings only")
            yield merged

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _KEYS:
            self._fail(node, "a key must be text")
        self._count(node, len(node.value) + 1)
        return _text(node)

    def _scalar(self, node: yaml.ScalarNode) -> Json:
        self._count(node, len(node.value))
        if node.tag in _TEXTS:
            return _text(node)
        if node.tag not in _KEYS:
            self._fail(node, f"{_short(node.tag)} is not JSON")
        construct = getattr(self._loader, "construct_yaml_" + node.tag.removeprefix(_TAG))
        if len(node.value) > MAX_DIGITS:
            self._fail(node, f"a number of more than {MAX_DIGITS} digits")
        try:
            value: Any = construct(node)
        except (ValueError, LookupError):  # `!!int x`, `!!bool x`, `!!int ''`
            self._fail(node, f"{node.value[:20]!r} is not a {_short(node.tag)}")
        if isinstance(value, float) and not math.isfinite(value):
            self._fail(node, f"{node.value[:20]} is not JSON")
        return value


def _text(node: yaml.ScalarNode) -> str:
    """Return the text of a scalar. Two `\\u` escapes of a surrogate pair are one character, as in JSON.

    Raises BadLiteral for half a pair.
    """
    text = str(node.value)
    if node.style == '"' and not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    check_text(text)
    return text


def _short(tag: str) -> str:
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag


def duplicate_yaml_keys(text: str, start: int, end: int) -> Iterator[tuple[str, int]]:
    """Yield each key that stands earlier in the same mapping of valid YAML, with its offset in `text`."""
    body = text[start:end]
    try:
        root = yaml.SafeLoader(body).get_single_node()
    except yaml.YAMLError:  # then it was parsed without the white space around it
        start += len(body) - len(body.lstrip())
        root = yaml.SafeLoader(body.strip()).get_single_node()
    stack, visited = [root] if root else [], set[int]()
    while stack:
        node = stack.pop()
        if id(node) in visited:  # an alias
            continue
        visited.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key in (key for key, _ in node.value if key.tag != _TAG + "merge"):
                if key.value in keys:
                    yield key.value, start + key.start_mark.index
                keys.add(key.value)
            stack.extend(value for _, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            stack.extend(node.value)


class _Dumper(yaml.SafeDumper):
    """PyYAML's dumper with text of several lines or control characters always in double quotes.

    PyYAML writes some of that text in single quotes, where a line break is read as a blank.
    """

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = None if data.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


def encode_yaml(value: Json) -> str | None:
    """Return a value as YAML in block style; None if it is longer than `parse_yaml` accepts, or too deep."""
    try:
        if len(json.dumps(value)) > 2 * MAX_YAML_LENGTH:  # PyYAML would take long to find that out
            return None
        text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False)
    except RecursionError:
        return None
    return text if len(text) <= MAX_YAML_LENGTH else None
