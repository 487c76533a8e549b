"""The documentation describes all commands, settings and exit codes, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from lfr.cli.command_table import COMMANDS
from lfr.cli.exit_codes import MEANINGS
from lfr.config.settings import all_settings
from lfr.language import compile_flow

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "commands.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table rows below a heading; of all tables, if the heading is empty."""
    part = REFERENCE.partition(f"## {heading}\n")[2].partition("\n## ")[0] if heading else REFERENCE
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip().strip("`") for cell in line.strip("| ").split(" | ")] for line in lines]


def test_every_command_is_documented() -> None:
    documented = rows("")
    for command in COMMANDS.values():
        assert [command.name, command.help] in documented


def test_every_setting_is_documented_and_no_other() -> None:
    documented = rows("Settings")[2:]
    assert [row[:2] for row in documented] == [[setting.name, setting.variable] for setting in all_settings()]
    assert [row[-1] for row in documented] == [setting.help for setting in all_settings()]


def test_every_exit_code_is_documented_and_no_other() -> None:
    documented = [(int(code), meaning) for code, meaning in rows("Exit codes")[2:]]
    assert documented == [(int(code), meaning) for code, meaning in MEANINGS.items()]


def test_links_lead_somewhere() -> None:
    links = [
        (page, target)
        for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    ]
    assert len(links) > 20
    assert [f"{page.name}: {target}" for page, target in links if not (page.parent / target).exists()] == []


def test_files_that_are_named_are_there() -> None:
    rooms = {path.name: ROOT / "lfr" for path in (ROOT / "lfr").iterdir() if path.is_dir()}
    tops = {path.name: ROOT for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    folders = {**rooms, **tops}  # `docs/x.md` stands at the top, `store/x.py` in lfr/
    pattern = rf"`((?:{'|'.join(folders)})/[\w/-]+\.\w+)`"
    names = [
        (page.name, name)
        for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
        for name in re.findall(pattern, page.read_text())
    ]
    assert len(names) > 10
    assert [(page, name) for page, name in names if not (folders[name.split("/")[0]] / name).exists()] == []


def test_the_examples_are_right() -> None:
    for path in (*ROOT.glob("examples/*.flow"), *ROOT.glob("lfr/**/*.flow")):
        compile_flow(path.read_text(), source=path.name)
