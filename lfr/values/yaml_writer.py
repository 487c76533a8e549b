"""Values -> YAML that `language.yaml_values` reads as the same values."""

from __future__ import annotations

import json

import yaml

from lfr.values.json import Json
from lfr.values.yaml import LONGEST_YAML

__all__ = ["LONGEST_YAML", "write_yaml"]


class _Dumper(yaml.SafeDumper):
    """PyYAML's, but for text with line breaks or control characters: it writes some of these in single
    quotes, where they are read as blanks."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = None if data.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


def write_yaml(value: Json) -> str | None:
    """The YAML of a value, in block style; None if it is longer than may be read, or nested too deeply."""
    try:
        if len(json.dumps(value)) > 2 * LONGEST_YAML:  # PyYAML would take long to find that out
            return None
        text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False)
    except RecursionError:
        return None
    return text if len(text) <= LONGEST_YAML else None
