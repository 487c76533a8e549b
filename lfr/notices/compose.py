"""Composes notices: the sentence and the facts for what a rule has found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lfr.notices.notice import Notice, make_notice
from lfr.notices.rules import Rule, Trigger
from lfr.values.json import Json
from lfr.values.times import format_duration

_VERBS: Final = {
    Trigger.FAILED: "has failed",
    Trigger.FINISHED: "has finished",
    Trigger.TERMINATED: "was terminated",
}


def of_workflow(flow: str) -> str:
    """Return how a sentence names the flow of a workflow."""
    return f" of the flow {flow}" if flow else ""


def compose_state(
    rule: Rule, trigger: Trigger, occasion: str, workflow: Mapping[str, Json], at_ms: int
) -> Notice:
    """Return the notice that a workflow has ended. `workflow` has workflow, flow, labels, state, reason,
    started, ended; of one that is deleted already, only workflow."""
    id, flow, reason = workflow["workflow"], str(workflow.get("flow") or ""), workflow.get("reason")
    cause = f": {reason}" if reason and trigger is Trigger.FAILED else ""
    facts = {**workflow, **({"hint": f"lfr why {id}"} if trigger is Trigger.FAILED else {})}
    text = f"{id}{of_workflow(flow)} {_VERBS[trigger]}{cause}"
    return make_notice(rule, trigger, occasion, at_ms=at_ms, topic=flow, text=text, facts=facts)


def compose_late(
    rule: Rule, workflow: Mapping[str, Json], run: str, at_ms: int, *, has_ended: bool
) -> Notice:
    """Return the notice that a workflow runs, or has run, for longer than the rule says."""
    id, flow = workflow["workflow"], str(workflow["flow"] or "")
    verb = "has run" if has_ended else "runs"
    text = f"{id}{of_workflow(flow)} {verb} for more than {format_duration(rule.after_seconds)}"
    return make_notice(
        rule,
        Trigger.LATE,
        f"{id} {run}",
        at_ms=at_ms,
        topic=flow,
        text=text,
        facts={**workflow, "hint": f"lfr why {id}"},
    )


def compose_stuck(
    rule: Rule, workflow: Mapping[str, Json], run: str, step: Mapping[str, Json], at_ms: int
) -> Notice:
    """Return the notice that a step stands. `step` has index, name, attempt, started, cause, text, cure, and
    id, the workflow or the item in which it stands."""
    id, flow = workflow["workflow"], str(workflow["flow"] or "")
    name = f"step {step['index']}" + (f" ({step['name']})" if step["name"] else "")
    within = "" if step["id"] == id else f" in {step['id']}"
    text = (
        f"{name}{within} of {id}{of_workflow(flow)} stands for more than "
        f"{format_duration(rule.after_seconds)}: {step['text']}"
    )
    return make_notice(
        rule,
        Trigger.STUCK,
        f"{step['id']} {run} {step['index']} {step['attempt']}",
        at_ms=at_ms,
        topic=flow,
        text=text,
        facts={**workflow, "step": dict(step), "hint": step["cure"] or f"lfr why {id}"},
    )


def compose_missed(rule: Rule, name: str, flow: str, problem: str, outcome_ms: int, at_ms: int) -> Notice:
    """Return the notice that a schedule has a problem, such as `missed: no lifecycle ran`, since the outcome
    of this time."""
    kind, _, reason = problem.partition(": ")
    verb = (
        "is paused"
        if kind == "paused"
        else "was refused a start"
        if kind == "refused"
        else "has missed a time"
    )
    return make_notice(
        rule,
        Trigger.MISSED,
        f"{name} {outcome_ms} {kind}",
        at_ms=at_ms,
        topic=name,
        text=f"the schedule {name} {verb}: {reason}",
        facts={"schedule": name, "flow": flow, "reason": reason, "hint": f"lfr schedule show {name}"},
    )


def compose_dead_letters(rule: Rule, last_id: str, count: str, reason: str, at_ms: int) -> Notice:
    """Return the notice that events could not be understood. `count` says how many, as `3` or `over 100`."""
    verb = "event is a dead letter" if count == "1" else "events are dead letters"
    return make_notice(
        rule,
        Trigger.DEAD_LETTER,
        last_id,
        at_ms=at_ms,
        topic="",
        text=f"{count} {verb}; the last: {reason}",
        facts={"reason": reason, "hint": "lfr dead"},
    )


def compose_role_gone(rule: Rule, role: str, seen_ms: int, since: str, at_ms: int) -> Notice:
    """Return the notice that no process of a role, or of a group of workers, is alive. `since` is when one
    was the last time, in ISO 8601."""
    name = (
        f"the group {role.partition(' ')[2]} of workers" if role.startswith("tasks ") else f"the role {role}"
    )
    return make_notice(
        rule,
        Trigger.ROLE_GONE,
        f"{role} {seen_ms}",
        at_ms=at_ms,
        topic=role,
        text=f"no process of {name} is alive, since {since}",
        facts={"role": role, "since": since, "hint": "lfr status"},
    )


def compose_test(rule: Rule, id: str, at_ms: int) -> Notice:
    """Return the specimen that tests a rule."""
    trigger = min(rule.triggers)
    text = f"this is a test of the rule {rule.name}: nothing has happened"
    return Notice(f"{rule.name}:test-{id}", rule.name, trigger, at_ms, "", text, is_test=True)
