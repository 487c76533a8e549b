"""Flows as mermaid flowcharts."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lfr.drawing.mermaid import to_mermaid
from lfr.flow import Flow, Step, StepKind
from lfr.language import compile_flow


def test_every_kind_of_step() -> None:
    text = '<{"k": 1}> → a → ? `$.n` { b|c → > d } → > :end; <u> → * e → <v>'
    assert (
        to_mermaid(compile_flow(text))
        == """\
flowchart LR
  s0(["start"])
  s1[/"{#34;k#34;: 1}"/]
  s2["a"]
  subgraph f3["? $.n"]
    s3((" "))
    subgraph f4[" "]
      s4((" "))
      s5["b"]
      s6["c"]
      s7((" "))
    end
    s8["#62; d"]
    s9((" "))
  end
  s10[("u")]
  s11["#42; e"]
  s12[("v")]
  s13(["#62; end"])
  s0 --> s1
  s0 --> s10
  s1 --> s2
  s2 --> s3
  s3 --> s4
  s4 --> s5
  s4 --> s6
  s5 --> s7
  s6 --> s7
  s7 --> s8
  s8 --> s9
  s9 --> s13
  s10 --> s11
  s11 --> s12
  s12 --> s13
"""
    )


def test_from_top_to_bottom() -> None:
    assert to_mermaid(compile_flow("a"), vertical=True).startswith("flowchart TB\n")


def test_a_declared_subflow_has_its_name_and_a_guard_stands_under_a_name() -> None:
    drawn = to_mermaid(compile_flow("@task both { a b } ? `$.x` both → ? `$.y` c"))
    assert 'subgraph f1["both<br>? $.x"]' in drawn
    assert 's5["c<br>? $.y"]' in drawn


def test_a_long_literal_is_shortened() -> None:
    drawn = to_mermaid(compile_flow('<["' + "x" * 1000 + '"]> → a'))
    assert "x" * 37 + "…" in drawn
    assert "x" * 39 not in drawn


@given(st.text(min_size=1), st.text())
def test_no_name_and_no_guard_can_change_the_drawing(name: str, guard: str) -> None:
    steps = (Step(0, StepKind.START), Step(1, StepKind.TASK, name, guard=guard), Step(2, StepKind.END))
    lines = to_mermaid(Flow(steps, ((0, 1), (1, 2)))).splitlines()
    assert len(lines) == 6
    label = re.fullmatch(r'  s1\["(.*)"\]', lines[2])
    assert label is not None
    assert not set('"`<>&\\*~|') & set(label[1].replace("<br>", ""))
    assert "#" not in re.sub(r"#\d+;", "", label[1])


def test_documentation_holds_no_directive() -> None:
    """mermaid finds `%%{init: ...}%%` anywhere, and takes the look of the drawing from it."""
    doc = 'a %%{init: {"themeCSS": "* {display: none}"}}%% %{x'
    drawing = to_mermaid(compile_flow(f"@flow f '''{doc}'''\nA"))
    assert doc[-2:] in drawing and "%{" not in drawing
