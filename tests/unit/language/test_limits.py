"""A big, deep or strange text compiles or raises FlowError. No time is measured: a test with quadratic time
would not end."""

from __future__ import annotations

from itertools import pairwise

import pytest

from lfr.language import FlowError, compile_flow
from lfr.language.compile import FlowLimits, compile_source
from lfr.language.diagnostics import SourceText


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{" * 10_000 + "a" + "}" * 10_000, "100 subflows"),
        ("a → " + "[" * 10_000, "100 subflows"),
        ("@task a " + "{" * 10_000, "100 subflows"),
        ("a → " + "b" * 1001, "this name has 1,001 characters"),
        ("@flow " + "b" * 1_000_000, "this name has 1,000,000 characters"),
        ("a → :" + "b" * 1001, "this name has"),
        ("a" + "-" * 5_000_000, "this name has 5,000,001 characters"),
        ("a \0", r"U\+0000"),
        ("a <x\0>", "neither a literal nor a resource"),
        ("a \ud800", "surrogate"),
        ("a (- \udfff -)", "surrogate"),
        ("\n".join(f"@task a{i} {{ a{i + 1} }}" for i in range(20_000)) + "\na0", "100 levels"),
        ("\n".join(f"@task a{i} = a{(i + 1) % 20_000}" for i in range(20_000)) + "\na0", "alias of itself"),
        (
            "\n".join(f"@task a{i} {{ a{(i + 1) % 20_000} }}" for i in range(20_000)) + "\na0",
            "contains itself",
        ),
        ("\n".join(f"@task a{i} {{ a{i + 1} a{i + 1} }}" for i in range(5000)) + "\na0", "1,000,000 steps"),
        (f'@task a (["{"x" * 1_000_000}"]) ' + "a " * 1000, "written out"),
        ("; ".join(f"a → :x; :x → b{i}" for i in range(2000)), "2,000,000 edges"),
        (" → ".join(["a ({x})"] * 20_000), "and|JSON"),
        (" → ".join(["a (- [ -)"] * 20_000), "YAML"),
        ("a '''" + "x" * 5_000_000, "not closed"),
        ("a (- " + "x" * 5_000_000, "not closed"),
        ("a ([" + "[" * 5_000_000, "levels"),
        ("a -> 1 " + "b " * 2_000_000, "found"),
        ("a -> 1\n" * 200_000, "FLOW:20:6"),
        ("? `$[?(" + "(" * 10_000 + "@.a" + ")" * 10_000 + ")]` a", "32 levels"),
        ('a (["\0"])', "control character"),
        ("a (- \0 -)", "special characters"),
        ("? `$.\0` a", "expected a name"),
        ('a (["\\ud800"])', "surrogate"),
        ("a \ufeff b", r"U\+FEFF"),
        (":" + "x" * 2_000_000 + " -> a", "no step leads to :x{300}"),
        ("a (- k: &a [*a] -)", "inside itself"),
        (
            "a (-\n"
            + "a: &a [x, x, x, x, x, x, x, x, x]\n"
            + "\n".join(f"{two}: &{two} [{', '.join([f'*{one}'] * 9)}]" for one, two in pairwise("abcdefghi"))
            + "\n-)",
            "aliases written out",
        ),
    ],
    ids=range(33),
)
@pytest.mark.slow
def test_refused(text: str, message: str) -> None:
    with pytest.raises(FlowError, match=message):
        compile_flow(text)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("{" * 100 + "a" + "}" * 100, 203),
        (" → ".join(["a"] * 20_000), 20_002),
        ("a → {" + "b " * 20_000 + "} → c", 20_006),
        ("a → " + "|".join(["b"] * 20_000) + " → c", 20_006),
        ("@task a0 = x " + " ".join(f"@task a{i} = a{i - 1}" for i in range(1, 20_000)) + " a19999", 3),
        ("#" + "x" * 5_000_000 + "\n" + "#\n" * 100_000 + " " * 5_000_000 + "a", 3),
        ('<["' + "x" * 5_000_000 + '"]> → a', 4),
        ("? `$." + "a" * 5_000_000 + "` a", 3),
        ("; ".join(f"a{i} → :x{i}; :x{i} → b{i}" for i in range(5000)), 10_002),
        ("\ufeff\ta\t->\r\n\tb\t(-\tx: 1\t-)\r\n# c\rc\t", 5),
        ("@task a '''\0''' a", 3),
        ("a # \0\x1b\u2028\n", 3),
    ],
    ids=range(12),
)
@pytest.mark.slow
def test_compiled(text: str, steps: int) -> None:
    assert len(compile_flow(text).steps) == steps


def test_a_flow_has_as_many_steps_as_it_may_have() -> None:
    limits = FlowLimits(steps=10)
    assert len(compile_source(SourceText.of("a b c d e f g h", "FLOW"), limits=limits).flow.steps) == 10
    with pytest.raises(FlowError, match="10 steps"):
        compile_source(SourceText.of("a b c d e f g h i", "FLOW"), limits=limits)
