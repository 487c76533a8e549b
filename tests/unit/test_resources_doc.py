"""docs/resources.md agrees with the code."""

from __future__ import annotations

import re
from pathlib import Path

from lfr.config.load import load_with_origins
from lfr.config.settings import all_settings
from lfr.language import compile_flow
from lfr.tasks.allow_list import parse_allow_list
from lfr.tasks.content import CHARSETS, EXTENSIONS, MEDIA_TYPES, Format
from lfr.values.yaml import MAX_YAML_LENGTH

PAGE = (Path(__file__).parents[2] / "docs" / "resources.md").read_text(encoding="utf-8")


def blocks(tag: str) -> list[str]:
    return re.findall(rf"^```{tag}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_its_flows_are_right() -> None:
    assert blocks("flow")
    for text in blocks("flow"):
        compile_flow(text, "/srv/flows")


def test_its_configuration_can_be_used(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    file = tmp_path / "lfr.yaml"
    file.write_text(text)
    settings = load_with_origins({}, config=str(file), environment={}).settings
    assert len(parse_allow_list(settings.resources_allow).locations) == 2


def test_its_limits_are_the_defaults() -> None:
    for setting in all_settings():
        if setting.name in ("resources.size", "resources.timeout"):
            assert f"| `{setting.name}` | {setting.default:.10g} |" in PAGE
    assert str(MAX_YAML_LENGTH) in PAGE


def test_it_names_each_supported_type() -> None:
    rows = {row.split(" | ")[0].strip("| ").lower(): row for row in PAGE.splitlines() if row.startswith("| ")}
    for media_type, format in MEDIA_TYPES.items():
        assert f"`{media_type}`" in rows[format.value]
    for extension, type in EXTENSIONS.items():
        assert f"`{extension}`" in rows[type.format.value]
    assert "`+json`" in rows[Format.JSON.value]
    assert all(f"`{charset}`" in PAGE for charset in CHARSETS)
