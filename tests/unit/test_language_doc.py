"""Every example of docs/language.md is compiled, and does what the page says that it does.

Fenced blocks tell what to do: `flow` is a flow that is right, `flow wrong` one that is not; `console` holds
commands that are run on the flow before it, whatever they call its file, and what they print; `python` is
run as it stands.
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
from lfr.engine.step_inputs import MAX_BYTES
from lfr.engine.step_inputs import MAX_VALUES as MAX_MADE_VALUES
from lfr.guard import parse_guard
from lfr.guard.evaluate import MAX_VALUES
from lfr.guard.parse import MAX_DEPTH as MAX_GUARD_DEPTH
from lfr.language import FlowError, compile_flow
from lfr.language.compile import MAX_CHARACTERS, MAX_EDGES, MAX_STEPS
from lfr.language.parse import MAX_DEPTH
from lfr.tasks.step_options import Retry, StepOptions
from lfr.values.json import MAX_DEPTH as MAX_VALUE_DEPTH
from lfr.values.literals import MAX_DEPTH as MAX_LITERAL_DEPTH
from lfr.values.literals import MAX_DIGITS
from lfr.values.times import parse_duration
from lfr.values.yaml import MAX_YAML_LENGTH, MAX_YAML_SIZE

PAGE = (Path(__file__).parents[2] / "docs" / "language.md").read_text(encoding="utf-8")


class Block(NamedTuple):
    """A fenced block: its line in the page, its tag, its text; and the text of the flow before it."""

    line: int
    tag: str
    text: str
    flow: str


def blocks(*tags: str) -> list[Block]:
    """The blocks with one of these tags, in the order of the page."""
    found: list[Block] = []
    flow = ""
    for match in re.finditer(r"^```([^\n]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        tag, text = match.groups()
        flow = text if tag.startswith("flow") else flow
        found.append(Block(PAGE.count("\n", 0, match.start()) + 1, tag, text, flow))
    return [block for block in found if block.tag in tags]


def line_of(block: Block) -> str:
    """What pytest calls a block."""
    return f"line {block.line}"


def commands(block: Block) -> list[tuple[str, str]]:
    """The command lines of a console block, without `$ lfr `, each with what the page says it prints."""
    parts = re.split(r"^\$ lfr (.*)\n", block.text, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def run(words: str, flow: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command line prints, on a terminal where stderr and stdout are one, in an empty folder."""
    arguments = shlex.split(words)
    (file,) = (word for word in arguments if word.endswith(".flow"))
    Path(file).write_text(flow, encoding="utf-8")
    main(arguments)
    out, err = capsys.readouterr()
    return err + out


def test_the_page_has_examples_of_all_kinds() -> None:
    tags = [block.tag for block in blocks("flow", "flow wrong", "console", "python")]
    assert {tag for tag, _ in groupby(sorted(tags))} == {"flow", "flow wrong", "console", "python"}
    assert len(tags) == PAGE.count("\n```") / 2


@pytest.mark.parametrize("block", blocks("flow"), ids=line_of)
def test_a_flow_is_right(block: Block) -> None:
    compile_flow(block.text)


@pytest.mark.parametrize("block", blocks("flow wrong"), ids=line_of)
def test_a_wrong_flow_is_wrong(block: Block) -> None:
    with pytest.raises(FlowError):
        compile_flow(block.text)


@pytest.mark.parametrize("block", blocks("console"), ids=line_of)
def test_a_command_prints_what_the_page_shows(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert commands(block)
    for words, shown in commands(block):
        assert run(words, block.flow, capsys) == shown


@pytest.mark.parametrize("block", blocks("python"), ids=line_of)
def test_python_runs(block: Block) -> None:
    exec(compile(block.text, "docs/language.md", "exec"), {})


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table behind a heading, without its head."""
    part = PAGE.partition(f"\n## {heading}\n")[2]
    lines = next(
        list(group) for is_row, group in groupby(part.splitlines(), lambda line: line[:1] == "|") if is_row
    )
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@pytest.mark.parametrize(("guard", "yes", "no"), rows("Guards"))
def test_a_guard_says_what_the_page_says(guard: str, yes: str, no: str) -> None:
    asked = parse_guard(guard.strip("`"))
    assert asked.holds(json.loads(yes.strip("`")))
    assert not asked.holds(json.loads(no.strip("`")))


def test_the_limits_are_those_of_the_code() -> None:
    assert [limit for _, limit in rows("Errors and limits")] == [
        f"{limit:,}"
        for limit in (
            MAX_DEPTH,
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
            MAX_VALUES,
        )
    ]


def test_what_is_said_to_lfr_is_told_with_its_defaults() -> None:
    told = {key.strip("`"): default.strip("`") for key, _, default in rows("Time-outs and retries")}
    own = {key: default for key, default in told.items() if "." not in key}
    assert own == {"timeout": "for ever", "retry": "0", "limit": "iterate.limit"}
    assert own.keys() == {each.name for each in fields(StepOptions)}
    of_retry = {key.removeprefix("retry."): told[key] for key in told if key.startswith("retry.")}
    assert of_retry.keys() == {each.name for each in fields(Retry)}
    assert [parse_duration(of_retry[name]) for name in ("delay", "backoff", "longest", "jitter")] == [
        Retry(0).delay,
        Retry(0).backoff,
        Retry(0).longest,
        Retry(0).jitter,
    ]


def test_links_within_the_page_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings
