"""The trace of a workflow, and the ids of its spans. (W3C Trace Context, https://www.w3.org/TR/trace-context/)

All ids are made from those of the workflow, so nothing is stored for them: who appends a start-task event,
who exports the spans and who exports them again come to the same ids.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final

from lfr.item_ids import root_workflow

_TRACEPARENT: Final = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_SAMPLED: Final = 1
_KNOWN_FLAGS: Final = 3
"""`sampled`, and `random-trace-id` of Level 2. All others are to be zero in what is sent on."""


@dataclass(frozen=True, slots=True)
class TraceParent:
    """A valid traceparent: the trace, the span of who calls, and flags; ids in lower-case hexadecimal."""

    trace_id: str
    parent_id: str
    flags: int = _SAMPLED

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.parent_id}-{self.flags:02x}"


def parse_traceparent(text: str) -> TraceParent | None:
    """Parse a traceparent, such as the value of that header; return None if it is not valid. Of a version
    above 00, what that appends is left out. (Trace Context, 3.2.2)"""
    match = _TRACEPARENT.fullmatch(text)
    if match is None or match["version"] == "ff" or (match["version"] == "00" and match["more"] is not None):
        return None
    trace_id, parent_id = match["trace"], match["parent"]
    if not trace_id.strip("0") or not parent_id.strip("0"):
        return None
    return TraceParent(trace_id, parent_id, int(match["flags"], 16) & _KNOWN_FLAGS)


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The trace of a workflow, which it shares with its children.

    workflow, run  the id and the run of the workflow, or child, whose spans these are
    parent_id      the span of who has started the outermost workflow; empty: it has come with none
    """

    workflow: str
    run: str
    trace_id: str
    parent_id: str = ""
    flags: int = _SAMPLED

    @property
    def is_sampled(self) -> bool:
        """Whether the spans are to be exported: who has started the workflow may have decided otherwise."""
        return bool(self.flags & _SAMPLED)

    def workflow_span_id(self, number: int = 0) -> str:
        """Return the id of the span of the workflow; after `number` restarts it is another one."""
        return _span_id(self.trace_id, self.workflow, self.run, str(number))

    def step_span_id(self, index: int, attempt: int, part: int = 0) -> str:
        """Return the id of the span of an attempt. An attempt that goes on after its workflow has failed and
        was restarted has a second span, whose `part` is the number of restarts."""
        return _span_id(self.trace_id, self.workflow, self.run, f"{index}.{attempt}.{part}")

    def traceparent_of(self, index: int, attempt: int) -> str:
        """Return the traceparent under which the task of an attempt goes on with the trace."""
        return f"00-{self.trace_id}-{self.step_span_id(index, attempt)}-{self.flags:02x}"

    def of_child(self, id: str) -> TraceContext:
        """Return the same trace for a child workflow."""
        return TraceContext(id, self.run, self.trace_id, self.parent_id, self.flags)


@lru_cache(maxsize=4096)  # the steps of a workflow start one after the other
def trace_of(workflow: str, run: str, traceparent: str = "") -> TraceContext:
    """Return the trace of a workflow, or of a child: that of the traceparent with which the outermost
    workflow was started, else one that is made from its id and its run, which children share."""
    parent = parse_traceparent(traceparent) if traceparent else None
    if parent is not None:
        return TraceContext(workflow, run, parent.trace_id, parent.parent_id, parent.flags)
    return TraceContext(workflow, run, _hex(32, "trace", root_workflow(workflow), run))


def _span_id(*parts: str) -> str:
    return _hex(16, "span", *parts)


def _hex(size: int, *parts: str) -> str:
    digest = sha256("\0".join(parts).encode()).hexdigest()[:size]
    return digest if digest.strip("0") else "1".zfill(size)  # an id of zeros is none
