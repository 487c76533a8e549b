"""The configuration file: YAML, safely, with the line of each value."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import yaml

from lfr.errors import BadSettings
from lfr.values.checks import suggestion

Raw: TypeAlias = str | list[str] | dict[str, str]
"""What the file says of a setting: the text as it is written, for `007` may be a password; such texts in a
list, or by name."""

_DEEPEST: Final = 8
"""How many mappings may stand inside each other where there are texts by name: one may hold itself."""


def read_settings_file(file: str, types: Mapping[str, type]) -> Iterator[tuple[str, Raw, str]]:
    """Each setting in the file: its name with dots between the levels, its value, its place `FILE:LINE`.

    `types` has the type of each setting by its name, as `settings.Setting` has it. A list may also be
    a single text; of texts by name, the names of inner mappings are joined by dots. A key without a
    value says nothing. Raises BadSettings for a file that cannot be read, is no YAML, or has a key that
    is no setting.
    """
    try:
        root = yaml.compose(Path(file).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise BadSettings(f"the file cannot be read: {error.strerror}", place=file) from None
    except UnicodeDecodeError as error:
        raise BadSettings(f"the file is not UTF-8: {error.reason}", place=file) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadSettings(f"the file is not YAML: {error.problem}", place=f"{file}:{line}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise BadSettings(f"the file is not YAML: {' '.join(str(error).split())}", place=file) from None
    return _settings(file, root, "", types) if root is not None else iter(())


def _settings(
    file: str, node: yaml.Node, above: str, types: Mapping[str, type]
) -> Iterator[tuple[str, Raw, str]]:
    if not isinstance(node, yaml.MappingNode):
        what = f"{above.rstrip('.')} has" if above else "the file has"
        raise BadSettings(f"{what} no settings in it, but should", place=_place(file, node))
    for name, key, value in _named(file, node, above):
        if name in types:
            if not _is_null(value):
                yield name, _value(file, name, value, types[name]), _place(file, key)
        elif any(known.startswith(f"{name}.") for known in types):
            if not _is_null(value):
                yield from _settings(file, value, f"{name}.", types)
        else:
            raise BadSettings(f"there is no setting {name}", place=_place(file, key), hint=_hint(name, types))


def _named(file: str, node: yaml.MappingNode, above: str) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Name, key and value of each pair of a mapping. Raises BadSettings for a name that is there twice."""
    seen: set[str] = set()
    for key, value in node.value:
        name = above + str(key.value) if isinstance(key, yaml.ScalarNode) else above + "?"
        if name in seen:
            raise BadSettings(f"{name} is there twice", place=_place(file, key))
        seen.add(name)
        yield name, key, value


def _value(file: str, name: str, node: yaml.Node, type: type) -> Raw:
    if type is dict:
        return _texts_by_name(file, name, node)
    if type is tuple and isinstance(node, yaml.SequenceNode):
        return [_text(file, f"each of {name}", item) for item in node.value]
    text = _text(file, name, node)
    return [text] if type is tuple else text


def _texts_by_name(file: str, setting: str, root: yaml.Node) -> dict[str, str]:
    texts: dict[str, str] = {}
    mappings = deque([(root, "", 0)])
    while mappings:
        node, above, depth = mappings.popleft()
        if not isinstance(node, yaml.MappingNode) or depth > _DEEPEST:
            raise BadSettings(f"{setting} must have texts by name", place=_place(file, node))
        for name, key, value in _named(file, node, above):
            if isinstance(value, yaml.MappingNode):
                mappings.append((value, f"{name}.", depth + 1))
            elif name in texts:
                raise BadSettings(f"{setting}.{name} is there twice", place=_place(file, key))
            elif not _is_null(value):
                texts[name] = _text(file, f"{setting}.{name}", value)
    return texts


def _text(file: str, name: str, node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode) or _is_null(node):
        raise BadSettings(f"{name} must have a single value", place=_place(file, node))
    return str(node.value)


def _is_null(node: yaml.Node) -> bool:
    return node.tag == "tag:yaml.org,2002:null"


def _hint(name: str, names: Iterable[str]) -> str:
    return suggestion(name, names) or "lfr config lists the settings"


def _place(file: str, node: yaml.Node) -> str:
    return f"{file}:{node.start_mark.line + 1}"
