"""Reads the configuration file: YAML, with the line of each value."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import yaml

from lfr.errors import BadSettings
from lfr.values.checks import suggestion

Raw: TypeAlias = str | list[str] | dict[str, str]
"""The value of a setting in the file: the text as written, because `007` may be a password; a list of such
texts; or texts by name."""

_MAX_DEPTH: Final = 8
"""How deep the mappings of texts by name may be nested. A YAML mapping can contain itself."""


def read_settings_file(file: str, types: Mapping[str, type]) -> Iterator[tuple[str, Raw, str]]:
    """Yield each setting in the file: name, with dots between the levels; value; place, as `FILE:LINE`.

    `types` maps the names of the settings to their types, as `settings.Setting` has them. A list may also be
    a single text. In texts by name, dots join the names of inner mappings, and commas the items of a list. A
    key without a value counts as not set. Values are not checked (`check_setting`), only their shape. Raises
    BadSettings for a file that cannot be read, is not YAML, or has an unknown or repeated key or a value of
    another shape.
    """
    try:
        root = yaml.compose(Path(file).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise BadSettings(f"cannot read the file: {error.strerror}", place=file) from None
    except UnicodeDecodeError as error:
        raise BadSettings(f"the file is not UTF-8: {error.reason}", place=file) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadSettings(f"the file is not YAML: {error.problem}", place=f"{file}:{line}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise BadSettings(f"the file is not YAML: {' '.join(str(error).split())}", place=file) from None
    return _settings(file, root, "", types) if root is not None else iter(())


def _settings(
    file: str, node: yaml.Node, prefix: str, types: Mapping[str, type]
) -> Iterator[tuple[str, Raw, str]]:
    if not isinstance(node, yaml.MappingNode):
        subject = prefix.rstrip(".") or "the file"
        raise BadSettings(f"{subject} must be a mapping of settings", place=_place(file, node))
    for name, key, value in _pairs(file, node, prefix):
        if name in types:
            if not _is_null(value):
                yield name, _value(file, name, value, types[name]), _place(file, key)
        elif any(setting.startswith(f"{name}.") for setting in types):
            if not _is_null(value):
                yield from _settings(file, value, f"{name}.", types)
        else:
            hint = suggestion(name, types) or "lfr config lists the settings"
            raise BadSettings(f"there is no setting {name}", place=_place(file, key), hint=hint)


def _pairs(file: str, node: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Yield full name, key and value of each pair of a mapping. Raises BadSettings for a duplicate name."""
    names: set[str] = set()
    for key, value in node.value:
        name = prefix + str(key.value) if isinstance(key, yaml.ScalarNode) else prefix + "?"
        if name in names:
            raise BadSettings(f"{name} occurs twice", place=_place(file, key))
        names.add(name)
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
        node, prefix, depth = mappings.popleft()
        if not isinstance(node, yaml.MappingNode) or depth > _MAX_DEPTH:
            raise BadSettings(f"{setting} must be a mapping of names to texts", place=_place(file, node))
        for name, key, value in _pairs(file, node, prefix):
            if isinstance(value, yaml.MappingNode):
                mappings.append((value, f"{name}.", depth + 1))
            elif name in texts:
                raise BadSettings(f"{setting}.{name} occurs twice", place=_place(file, key))
            elif isinstance(value, yaml.SequenceNode):
                items = [_text(file, f"each of {setting}.{name}", item) for item in value.value]
                texts[name] = ", ".join(items)
            elif not _is_null(value):
                texts[name] = _text(file, f"{setting}.{name}", value)
    return texts


def _text(file: str, name: str, node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode) or _is_null(node):
        raise BadSettings(f"{name} must have a single value", place=_place(file, node))
    return str(node.value)


def _is_null(node: yaml.Node) -> bool:
    return node.tag == "tag:yaml.org,2002:null"


def _place(file: str, node: yaml.Node) -> str:
    return f"{file}:{node.start_mark.line + 1}"
