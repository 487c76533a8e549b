"""The configuration file: YAML, safely, with the line of each value."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import yaml

from lfr.errors import BadSettings


def read_settings_file(file: str, names: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Each setting in the file: its name with dots between the levels, its value, its place `FILE:LINE`.

    The value is the text as it is written, for `007` may be a password. A key without a value says
    nothing. Raises BadSettings for a file that
    cannot be read, is no YAML, or has a key that is not among `names`.
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
    return _settings(file, root, "", names) if root is not None else iter(())


def _settings(
    file: str, node: yaml.Node, above: str, names: Collection[str]
) -> Iterator[tuple[str, str, str]]:
    if not isinstance(node, yaml.MappingNode):
        what = f"{above.rstrip('.')} has" if above else "the file has"
        raise BadSettings(f"{what} no settings in it, but should", place=_place(file, node))
    seen: set[str] = set()
    for key, value in node.value:
        name = above + str(key.value) if isinstance(key, yaml.ScalarNode) else above + "?"
        if name in seen:
            raise BadSettings(f"{name} is there twice", place=_place(file, key))
        seen.add(name)
        if name in names:
            if not isinstance(value, yaml.ScalarNode):
                raise BadSettings(f"{name} must have a single value", place=_place(file, value))
            if not _is_null(value):
                yield name, value.value, _place(file, key)
        elif any(known.startswith(f"{name}.") for known in names):
            if not _is_null(value):
                yield from _settings(file, value, f"{name}.", names)
        else:
            raise BadSettings(f"there is no setting {name}", place=_place(file, key), hint=_hint(name, names))


def _is_null(node: yaml.Node) -> bool:
    return node.tag == "tag:yaml.org,2002:null"


def _hint(name: str, names: Collection[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else "lfr config lists the settings"


def _place(file: str, node: yaml.Node) -> str:
    return f"{file}:{node.start_mark.line + 1}"
