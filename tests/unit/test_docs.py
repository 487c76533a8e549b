"""The documentation describes all commands, settings and exit codes, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lfr.cli.command_table import COMMANDS
from lfr.cli.exit_codes import MEANINGS
from lfr.cli.ui.parser import load_handler, make_parser
from lfr.config.load import load_with_origins
from lfr.config.settings import all_settings
from lfr.language import compile_flow
from lfr.worker.registry import load_tasks
from tests.support.pages import PAGES, CommandLine, block, blocks, command_lines

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


def test_the_flow_of_readme_is_right() -> None:
    assert len(compile_flow(block("README.md", "watermark ->")).steps) == 9


OWN_LINES = [
    line
    for program in ("lfr", "./lfr", "./new-lfr")
    for line in command_lines(program)
    if line.words[1] != "="  # Python
]
PLACEHOLDERS = {"COMMAND", "ROLE"}


@pytest.mark.parametrize("line", OWN_LINES, ids=lambda line: f"{line.page}: {line.text}")
def test_every_command_line_of_lfr_can_be_typed(line: CommandLine) -> None:
    """In a block, all of it is valid. In a sentence, it may be a part: the command and its options exist."""
    _, name, *words = line.words
    if name in PLACEHOLDERS or name.startswith("-"):
        return
    name = name.partition(".")[0]  # `lifecycle.2` is a second process
    handler = load_handler(COMMANDS[name])
    if handler.passes_on:
        return
    parser = make_parser(COMMANDS[name], handler)
    words = ["1" if word == "INDEX" else word for word in words]
    if line.is_whole:
        parser.parse_args(words)
    for word in words:
        assert not word.startswith("-") or word in parser._option_string_actions


def test_many_command_lines_are_checked() -> None:
    assert len(OWN_LINES) > 60
    assert len([line for line in OWN_LINES if line.is_whole]) > 20


@pytest.mark.parametrize("line", [*command_lines("python3 build.py")], ids=lambda line: line.text)
def test_every_command_of_build_py_exists(line: CommandLine) -> None:
    _, _, name, *_ = line.words
    names = re.search(r"for command in \(([^)]+)\)", (ROOT / "build.py").read_text())
    assert names is not None
    assert name in names[1].replace(",", " ").split()
    for file in re.findall(r"\btests/[\w/]+\.py", line.text):
        assert (ROOT / file).exists()


@pytest.mark.parametrize("page", PAGES)
def test_every_configuration_in_a_page_is_valid(page: str, tmp_path: Path) -> None:
    for text in blocks(page):
        if re.match(
            r"(# .*lfr\.yaml\n)?(redis|lease|tasks|resources|retention|limits|notify|traces):$",
            text,
            re.MULTILINE,
        ):
            file = tmp_path / "lfr.yaml"
            file.write_text(text)
            load_with_origins({}, config=str(file), environment={})


def test_every_line_of_the_template_of_the_configuration_is_valid(tmp_path: Path) -> None:
    """With all its settings set: they exist, and an example that is a default is the default."""
    template = (ROOT / "units" / "lfr.yaml").read_text()
    text = re.sub(r"^# ((?:[a-z]+:| ).*)$", r"\1", template, flags=re.MULTILINE)
    file = tmp_path / "lfr.yaml"
    file.write_text(text)
    loaded = load_with_origins({}, config=str(file), environment={})
    assert len([origin for origin in loaded.origins.values() if origin != "default"]) > 8
    for setting in all_settings():
        has_another_example = setting.name == "redis.port" or setting.name.startswith("retention.")
        if setting.type in (float, int) and not has_another_example:
            assert getattr(loaded.settings, setting.attribute) == setting.default


@pytest.mark.parametrize("page", ["README.md", "docs/workers.md"])
def test_the_tasks_of_a_page_can_be_loaded(page: str, tmp_path: Path) -> None:
    text = block(page, "@task")
    file = tmp_path / text.partition("\n")[0].removeprefix("# ")
    file.write_text(text.partition("\n\nlfr tasks")[0])
    assert load_tasks(str(file))


@pytest.mark.parametrize("page", ["README.md", "docs/client.md", "docs/workers.md"])
def test_the_python_of_a_page_compiles(page: str) -> None:
    texts = [text for text in blocks(page) if re.search(r"^(from|for|lfr =) ", text, re.MULTILINE)]
    assert texts
    for text in texts:
        compile(text.partition("\n\nlfr tasks")[0], page, "exec")
