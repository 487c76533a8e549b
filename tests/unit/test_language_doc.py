"""Every example in docs/language.md compiles and does what the page says.

The tag of a fenced block decides its test: `flow` compiles, `flow wrong` does not; `console` has commands
that run on the flow before it, whatever the name of its file, and their output; `python` runs as it stands.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import fields
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest

from lfr.cli.main import main
from lfr.engine.advance import MAX_STARTS
from lfr.engine.step_inputs import MAX_BYTES
from lfr.engine.step_inputs import MAX_VALUES as MAX_MADE_VALUES
from lfr.guard import parse_guard
from lfr.guard.parse import MAX_DEPTH as MAX_GUARD_DEPTH
from lfr.language import FlowError, compile_flow
from lfr.language.compile import MAX_CHARACTERS, MAX_EDGES, MAX_STEPS
from lfr.language.lexer import MAX_NAME
from lfr.language.parse import MAX_DEPTH
from lfr.step_options import Retry, StepOptions
from lfr.values.json import MAX_DEPTH as MAX_VALUE_DEPTH
from lfr.values.literals import MAX_DEPTH as MAX_LITERAL_DEPTH
from lfr.values.literals import MAX_DIGITS
from lfr.values.times import parse_duration
from lfr.values.work import MAX_LOOKS
from lfr.values.yaml import MAX_YAML_LENGTH, MAX_YAML_SIZE

PAGE = (Path(__file__).parents[2] / "docs" / "language.md").read_text(encoding="utf-8")


class Block(NamedTuple):
    """A fenced block: its line in the page, its tag, its text, and the flow before it."""

    line: int
    tag: str
    text: str
    flow: str


def blocks(*tags: str) -> list[Block]:
    """Return the blocks with one of these tags, in the order of the page."""
    all_blocks: list[Block] = []
    flow = ""
    for match in re.finditer(r"^```([^\n]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        tag, text = match.groups()
        flow = text if tag.startswith("flow") else flow
        all_blocks.append(Block(PAGE.count("\n", 0, match.start()) + 1, tag, text, flow))
    return [block for block in all_blocks if block.tag in tags]


def line_of(block: Block) -> str:
    """Return the name of a block for pytest."""
    return f"line {block.line}"


def commands(block: Block) -> list[tuple[str, str]]:
    """Return the command lines of a console block without `$ lfr `, each with its output on the page."""
    parts = re.split(r"^\$ lfr (.*)\n", block.text, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def run(command_line: str, flow: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a command line prints on stderr and stdout together."""
    arguments = shlex.split(command_line)
    (file,) = (argument for argument in arguments if argument.endswith(".flow"))
    Path(file).write_text(flow, encoding="utf-8")
    main(arguments)
    out, err = capsys.readouterr()
    return err + out


def test_the_page_has_examples_of_all_kinds() -> None:
    tags = [block.tag for block in blocks("flow", "flow wrong", "console", "python")]
    assert {tag for tag, _ in groupby(sorted(tags))} == {"flow", "flow wrong", "console", "python"}
    assert len(tags) == PAGE.count("\n```") / 2


@pytest.mark.parametrize("block", blocks("flow"), ids=line_of)
def test_a_correct_flow_compiles(block: Block) -> None:
    compile_flow(block.text)


@pytest.mark.parametrize("block", blocks("flow wrong"), ids=line_of)
def test_a_wrong_flow_does_not_compile(block: Block) -> None:
    with pytest.raises(FlowError):
        compile_flow(block.text)


@pytest.mark.parametrize("block", blocks("console"), ids=line_of)
def test_a_command_prints_what_the_page_shows(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert commands(block)
    for command_line, output in commands(block):
        assert run(command_line, block.flow, capsys) == output


@pytest.mark.parametrize("block", blocks("python"), ids=line_of)
def test_python_runs(block: Block) -> None:
    exec(compile(block.text, "docs/language.md", "exec"), {})


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table after a heading, without its head."""
    part = PAGE.partition(f"\n## {heading}\n")[2]
    lines = next(
        list(group) for is_row, group in groupby(part.splitlines(), lambda line: line[:1] == "|") if is_row
    )
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@pytest.mark.parametrize(("guard", "yes", "no"), rows("Guards"))
def test_a_guard_says_what_the_page_says(guard: str, yes: str, no: str) -> None:
    parsed = parse_guard(guard.strip("`"))
    assert parsed.holds(json.loads(yes.strip("`")))
    assert not parsed.holds(json.loads(no.strip("`")))


def test_the_limits_are_those_of_the_code() -> None:
    assert [limit for _, limit in rows("Errors and limits")] == [
        f"{limit:,}"
        for limit in (
            MAX_DEPTH,
            MAX_NAME,
            MAX_STEPS,
            MAX_EDGES,
            MAX_CHARACTERS,
            MAX_LITERAL_DEPTH,
            MAX_VALUE_DEPTH,
            MAX_MADE_VALUES,
            MAX_BYTES,
            MAX_YAML_LENGTH,
            MAX_YAML_SIZE,
            MAX_DIGITS,
            MAX_GUARD_DEPTH,
            MAX_LOOKS,
            MAX_STARTS,
        )
    ]


def test_step_options_are_documented_with_their_defaults() -> None:
    defaults = {key.strip("`"): default.strip("`") for key, _, default in rows("Time-outs and retries")}
    own = {key: default for key, default in defaults.items() if "." not in key}
    assert own == {"timeout": "no limit", "retry": "0", "limit": "iterate.limit"}
    assert own.keys() == {each.name for each in fields(StepOptions)}
    of_retry = {key.removeprefix("retry."): defaults[key] for key in defaults if key.startswith("retry.")}
    assert of_retry.keys() == {each.name for each in fields(Retry)}
    assert [parse_duration(of_retry[name]) for name in ("delay", "backoff", "longest", "jitter")] == [
        Retry(0).delay,
        Retry(0).backoff,
        Retry(0).longest,
        Retry(0).jitter,
    ]


def test_links_within_the_page_have_targets() -> None:
    headings = {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings
