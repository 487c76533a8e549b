"""The differences between two versions of a flow, in lines."""

from __future__ import annotations

import pytest

from lfr.language import compile_flow
from lfr.operations.flow_changes import describe_changes

EDGES = ["- start -> [1]", "- [1] -> A", "+ start -> [2]", "+ [2] -> A"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("A", "A", []),
        ("A -> B", "# comment\nA ->\n  B", []),
        ("A -> B", "A -> X -> B", ["+ task: X", "- A -> B", "+ A -> X", "+ X -> B"]),
        ("? `$.x` A -> B", "A -> B", ["- task: ? `$.x` A", "+ task: A"]),
        ("@flow f '''Old.''' A", "@flow f '''New.''' A", ["- documentation: Old.", "+ documentation: New."]),
        ("@flow f (- owner: me -) A", "@flow f A", ['- @flow owner: "me"']),
        ("A -> B; C -> D", "C -> D; A -> B", ["~ the steps stand in another order"]),
        ("<- [1] -> -> A", "<- [2] -> -> A", ["- literal: [1]", "+ literal: [2]", *EDGES]),
        ("<http://a/x> -> A", "A -> <http://a/x>", None),
        ("@task A = B\nA", "@task A = C\nA", ["- task: A = B", "+ task: A = C"]),
        ("{ A B }", "* { A B }", None),
    ],
)
def test_changes(before: str, after: str, expected: list[str] | None) -> None:
    lines = describe_changes(compile_flow(before), compile_flow(after))
    if expected is None:
        assert lines and not lines[0].startswith("~")
    else:
        assert lines == expected
