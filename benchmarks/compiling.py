"""Compiling: does a step cost more in a longer text?

The floor of a text of 100,000 steps is a text of 1,000 steps: a step of the long text takes at most 1.5 times
as long to compile, and the whole takes at most 20 seconds and 1 GiB. Other operations on flows follow: linear
too, but with so little to do for each step that most of their time goes into memory.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any, Final

from lfr.drawing.mermaid import to_mermaid
from lfr.flow import Flow
from lfr.language import check_flow, compile_flow

SHORT, LONG = 1_000, 100_000

SHAPES: Final[dict[str, Callable[[int], str]]] = {
    "chain": lambda count: " -> ".join(["task"] * count),
    "fan": lambda count: "task -> { " + " ".join(["task"] * count) + " } -> task",
    "statements": lambda count: "\n".join(f"task{number}" for number in range(count)),
    "labels": lambda count: "; ".join(f"a -> :x{n}; :x{n} -> b" for n in range(count // 2)),
    "uses of a subflow": lambda count: "@task both { a }\n" + " ".join(["both"] * count),
}
"""Makes a text of so many steps, or of so many uses of a subflow of three steps."""


def seconds(work: Callable[[Any], Any], argument: Any, times: int) -> float:
    """Return the CPU seconds of the fastest of several calls: other processes may use this machine too."""
    best = float("inf")
    for _ in range(times):
        begin = time.process_time()
        work(argument)
        best = min(best, time.process_time() - begin)
    return best


def compare(name: str, work: Callable[[Any], Any], short: Any, long: Any) -> None:
    """Print the microseconds per step of a short text and of a long one."""
    floor, needed = seconds(work, short, 20), seconds(work, long, 3)
    each, floor_each = needed / LONG * 1e6, floor / SHORT * 1e6
    bound = "  (at most 1.5)" if work is compile_flow else ""
    print(
        f"  {name:10} {floor_each:6.2f} us a step of {SHORT:,}, {each:6.2f} of {LONG:,}"
        f"   {needed:5.2f} s   ratio {each / floor_each:.2f}{bound}",
        flush=True,
    )


def main() -> None:
    """Compile, check, draw, write and read a text of each shape."""
    for shape, text in SHAPES.items():
        print(shape)
        short, long = text(SHORT), text(LONG)
        compare("compile", compile_flow, short, long)
        compare("check", check_flow, short, long)
        flows = compile_flow(short), compile_flow(long)
        compare("mermaid", to_mermaid, *flows)
        compare("to_dict", Flow.to_dict, *flows)
        compare("from_dict", Flow.from_dict, *(flow.to_dict() for flow in flows))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{peak:.0f} MiB at its peak  (at most 1024)")


if __name__ == "__main__":
    main()
