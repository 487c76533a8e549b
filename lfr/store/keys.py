"""The names of all keys. Constants and functions give a key; their docstrings say its type and content.
`lfr.store.key_patterns` must know each of them.

`W` below is a workflow's id, `workflow:NAME-UUID`; a workflow's own keys all begin with it.
"""

from __future__ import annotations

import re
from typing import Final

from lfr.values import pointers

BASE_URL: Final = re.compile(r"env:[^:]*:[^:]*_url")
"""The key of a base URL behind its prefix. Names have no colon, so every such key can be told by its end."""


_QUEUE_PREFIX: Final = "workflows:tasks:"

ALL = "workflows:all"
"""ZSET: every workflow's id by its start, in milliseconds since the epoch."""

STREAM = "workflows:stream"
"""STRING: the key of the bus, which is the setting `stream`: all roles and commands must have the same."""

DEAD_LETTERS = "workflows:dead"
"""STREAM: copies of events that could not be understood: `id` and `stream` of the entry, `at`, `reason`,
`event` (the raw fields as JSON), `exact` (0: the bytes were not UTF-8)."""

DISMISSED_LETTERS = "workflows:dead:dismissed"
"""STREAM: dead letters that somebody has dismissed, with the fields of DEAD_LETTERS and `dismissed_at`,
`actor`, `actor_reason`."""

ENDS = "workflows:ends"
"""STREAM: what only lifecycles read: end-task events of lfr's own workers, and the events of items."""

RECEIPTS = "workflows:receipts"
"""STREAM: receipts, each for many entries of one stream: of a queue, of ENDS, or of the bus."""

RECEIPTS_ROLE = "workflows:receipts:role"
"""STRING: exists while a receipts role runs; expires. Without it no receipts are written."""

TOKENS = "workflows:tokens"
"""HASH: the name of a token of the API -> JSON, see `lfr.store.api_tokens`."""

CLAIMS = "workflows:claims"
"""HASH: the name of a task, or a prefix as `request:*` -> the group that has claimed it."""

CLAIMS_VERSION = "workflows:claims:version"
"""STRING: a text that changes with CLAIMS and PAUSES, and when tasks are moved. Who routes events watches
it."""

UNSORTED = "workflows:unsorted"
"""SET: the groups whose queues may hold tasks that the group no longer claims."""

UNCLAIMED = "workflows:unclaimed"
"""SET: the names of tasks of which some may be in `unclaimed`."""

POINTER_READERS = "workflows:pointers"
"""SET: the foreign groups whose workers read inputs by pointer."""

FOREIGN_TASKS = "workflows:foreign"
"""HASH: the name of a task that a foreign worker has ended -> when that was, in milliseconds since the
epoch, to the minute."""

SERVED_TASKS = "workflows:served"
"""HASH: the name of a task that a worker of lfr has done -> `MS GROUP`: when that was last, in milliseconds
since the epoch, to some seconds, and the group of the worker. It has as many names as TASK_TOTALS."""

HOUSEKEEPER = "workflows:housekeeper"
"""STRING: the lifecycle that clears and tidies up; expires."""

IS_INDEXED = "workflows:indexed"
"""STRING: exists once the tasks that an earlier version has left on the bus have been indexed or moved."""

IS_SEARCHABLE = "workflows:searchable"
"""STRING: exists once all workflows of earlier versions are in `flow_index` and `label_index`."""

INDEXED_FLOWS = "workflows:flows"
"""SET: the names of the flows that have a `flow_index`, and of some that had one; empty: flows without a
name."""

PROBE = "workflows:unwritten"
"""Never exists: a write that would change only an existing key shows whether Redis takes writes."""

FLOW_REFERENCES = "flows:refs"
"""HASH: digest -> how many workflows and stored versions use that flow; `flow_text_name` -> how many have
that flow text."""

FLOW_NAMES = "flows:names"
"""HASH: the name of a stored flow -> the greatest number that a version of it has had, also once the flow is
removed. Each change of stored flows writes it, so who changes them watches it."""

SCHEDULES = "flows:schedules"
"""SET: the names of the schedules."""

SCHEDULES_DUE = "flows:schedules:due"
"""ZSET: the names of the schedules that are not paused, by when each is to be decided again, in milliseconds
since the epoch. Who ends a workflow of a schedule brings that forward."""

SCHEDULE_PROBLEMS = "flows:schedules:problems"
"""HASH: the name of a schedule -> what is wrong with it: it is paused, its latest times were missed, its
latest start was refused."""

FLOW_TOTALS = "workflows:totals:flows"
"""HASH: `WHAT FLOW` -> how many workflows of this flow have started, finished, failed or were terminated, see
`lfr.store.totals`."""

TASK_TOTALS = "workflows:totals:tasks"
"""HASH: `WHAT TASK` -> how many attempts of this task have ended, failed or were retried, and how long they
took, see `lfr.store.totals`."""

NOTICE_TOTALS = "workflows:totals:notices"
"""HASH: `WHAT RULE` -> how many notices of this rule were sent, counted only, tried in vain, given up or
dropped, see `lfr.store.totals`."""

TRACE_TOTALS = "workflows:totals:traces"
"""HASH: `WHAT traces` -> how many workflows, and spans, were exported, tried in vain, refused or dropped, see
`lfr.store.totals`."""

TRACES = "workflows:traces"
"""ZSET: `W AT`, a workflow that ended at this time and whose spans are to be exported, or `test ID`, by when
that is due, both in milliseconds since the epoch. 0: at once, a test."""

TRACE_RECEIVER = "workflows:traces:receiver"
"""STRING: how the latest export of spans went, as JSON, see `lfr.store.traces`."""

TRACES_ROLE = "workflows:traces:role"
"""STRING: exists while a traces role runs; expires. Without it no histories of children are kept for it."""

NOTICES = "workflows:notices"
"""HASH: `RECIPIENT ID` -> a notice that is to be delivered, as JSON, see `lfr.store.notices`."""

NOTICE_RECIPIENTS = "workflows:notices:recipients"
"""HASH: a recipient of notices -> how the latest try went, as JSON, see `lfr.store.notices`."""

NOTICE_RULES = "workflows:notices:rules"
"""HASH: the name of a rule -> what it says, as JSON: as the role notify that started last has it."""

NOTICE_QUIET = "workflows:notices:quiet"
"""HASH: `RULE TOPIC` -> until when notices of a topic are only counted, and those that were, as JSON."""

NOTICE_CONDITIONS = "workflows:notices:conditions"
"""HASH: `RULE TRIGGER SUBJECT` -> since when a condition holds of which notice was given, in milliseconds
since the epoch; below zero: since when it is over. Under `dead-letters`: the id of the last dead letter that
was looked at."""

NOTICE_ROLES = "workflows:notices:roles"
"""HASH: a role, or `tasks GROUP` -> when a process of it was alive last, in milliseconds since the epoch."""

NOTICE_WATCHER = "workflows:notices:watcher"
"""STRING: the process that looks for what only time shows; expires."""

LOST_NOTICES = "workflows:notices:lost"
"""LIST: the latest notices that were given up, as JSON, the oldest first."""

PROCESSES = "workflows:processes"
"""SET: the ids of the roles' processes; some may have expired."""

LOGGED_RECEIPTS = "receipts:logged"
"""ZSET: `RECEIPT EVENT`, the ids of a logged receipt and its event, by the receipt's time in milliseconds
since the epoch. Both are to be cleared from the stream once every group has read past them. An old event
that nobody gives a receipt to stands there as both."""

LATCHES = "waits:latches"
"""ZSET: the names of latches, by when each became zero in milliseconds since the epoch; +inf: it is not."""

TIMERS = "waits:timers"
"""ZSET: `attempt_member` by due time, in milliseconds since the epoch."""

DELAYS = "waits:delays"
"""ZSET: those members of TIMERS that no event and no latch ends, by due time likewise. People list them."""

ARE_WAITS_LISTED = "workflows:listed"
"""STRING: exists if the waits that an earlier version has begun are in DELAYS and in `kind_waits`; expires,
because one may still run."""

COUNTDOWNS = "waits:countdowns"
"""ZSET: `attempt_member`, countdowns that started at a latch of zero, by the time of their start-task event.
They complete once no earlier event is pending, because that might be an acquire."""

OPENED_TAGS = "waits:opened"
"""SET: the tags of the keys that `opened_countdowns` names."""

FIELD_SET_KINDS = "waits:kinds"
"""ZSET: the kinds of events that have field sets, by when unused ones were last looked for, in milliseconds
since the epoch."""

DEADLINES = "waits:deadlines"
"""ZSET: `W INDEX ATTEMPT SECONDS ["NAME","BASE","RUN"]`, attempts that may take so many seconds, by their
deadline in milliseconds since the epoch. Without a run as in `attempt_member`."""

WORKFLOW_DEADLINES = "waits:workflows"
"""ZSET: the ids of the running workflows that may take a limited time, by their deadline in milliseconds
since the epoch."""

PAUSES = "workflows:pauses"
"""HASH: what is paused (`all`, `flow NAME`, `task NAME`, or the id of a workflow) -> since when and how, as
JSON, see `lfr.store.queues.pauses`. Who changes it changes CLAIMS_VERSION, too."""

DELAYED_STARTS = "waits:delayed"
"""ZSET: `attempt_member`, retries that are delayed, by their due time in milliseconds since the epoch."""

HELD_STARTS = "waits:held"
"""ZSET: `attempt_member`, attempts that a pause holds back, by when they would have started, in milliseconds
since the epoch. A resume moves all of them to DELAYED_STARTS."""


def standing(key: str) -> str:
    """ZSET: those members of TIMERS, DEADLINES or WORKFLOW_DEADLINES that were due while they stand still, by
    when they were due."""
    return f"{key}:standing"


BASE_URL_PREFIX = "littleflow:config:env-prefix"
"""STRING: the prefix of the keys of base URLs; littleflow_redis defines it."""


def base_url(prefix: str, environ: str, category: str) -> str:
    """STRING: the base URL of an environment for a category, as littleflow_redis reads it.

    Raises ValueError for a key that is not one of lfr's own (`key_patterns.is_own`): a flow could write that.
    """
    key = f"env:{environ}:{category}_url"
    if not BASE_URL.fullmatch(key):
        raise ValueError(f"no base URL has the key {key!r}: its names have no colon")
    return f"{prefix}{key}"


def notices_due(recipient: str) -> str:
    """ZSET: the ids of the notices for a recipient, by when each is tried again, in milliseconds since the
    epoch. 0: at once, a test."""
    return f"workflows:notices:due:{recipient}"


def notice_test(id: str) -> str:
    """LIST: how a test of a rule went, one JSON for each recipient; expires."""
    return f"workflows:notices:test:{id}"


def trace_test(id: str) -> str:
    """STRING: how a test of the export went, as JSON; expires."""
    return f"workflows:traces:test:{id}"


def traced_child(member: str) -> str:
    """LIST: the history of a child that has succeeded and is deleted, for the member of TRACES; at its end
    what else its spans are made of, as JSON. It expires."""
    return f"workflows:traces:child:{member}"


def queue(group: str) -> str:
    """STREAM: the start-task events of the tasks that a group has claimed; only this group reads them."""
    return f"{_QUEUE_PREFIX}{group}"


def has_one_group(stream: str) -> bool:
    """Return whether only one group reads a stream: a queue, or ENDS. Its entries are deleted once they have
    been processed."""
    return stream in (ENDS, RECEIPTS) or stream.startswith(_QUEUE_PREFIX)


def stale_mark(group: str) -> str:
    """STRING: exists while the group's queue may hold tasks whose attempt is over."""
    return f"workflows:stale:{group}"


def group_life(group: str) -> str:
    """STRING: exists while a process of the group runs; expires `tasks.forget` seconds after its end."""
    return f"workflows:group:{group}"


def unclaimed(base: str) -> str:
    """ZSET: `attempt_member`, running attempts of a task that nobody has claimed, whose start-task is on the
    bus, by when they started, in milliseconds since the epoch. The id of that entry is no earlier."""
    return f"workflows:unclaimed:{base}"


def state(name: str) -> str:
    """ZSET: the ids of the workflows in this state by their start, as in `workflows:all`."""
    return f"workflows:state:{name}"


def flow_index(name: str) -> str:
    """ZSET: the ids of the workflows of the flow with this name, by their start, as in `workflows:all`. An
    empty name: those of flows without a name."""
    return f"workflows:flow:{name}"


def label_index(name: str, value: str) -> str:
    """ZSET: the ids of the workflows with this label, by their start, as in `workflows:all`."""
    return f"workflows:label:{name}={value}"


def is_search_index(key: str) -> bool:
    """Return whether a key is a `flow_index` or a `label_index`."""
    return key.startswith((flow_index(""), "workflows:label:"))


def flow(digest: str) -> str:
    """STRING: a compiled flow's canonical JSON; shared by all its workflows. With a `flow_text_name` in place
    of the digest, a flow text; shared by all workflows that have it."""
    return f"flow:{digest}"


def flow_text_name(digest: str) -> str:
    """Return the name of the flow text with this digest in `flow` and in `flows:refs`."""
    return f"text:{digest}"


def flow_versions(name: str) -> str:
    """HASH: the number of a version of a stored flow -> what is stored for it, as JSON, see
    `lfr.store.workflows.flow_versions`."""
    return f"flows:versions:{name}"


def schedule(name: str) -> str:
    """HASH: a schedule, and how far it is, see `lfr.store.schedules`."""
    return f"flows:schedule:{name}"


def schedule_outcomes(name: str) -> str:
    """LIST: what has become of the latest times of a schedule, as JSON, the oldest first."""
    return f"flows:outcomes:{name}"


def steps(workflow: str) -> str:
    """HASH: step index -> "waiting active attempt", then retries and earlier attempts if there are any; only
    steps that have a number other than zero."""
    return f"{workflow}:steps"


def outputs(workflow: str) -> str:
    """HASH: step index -> output as JSON; -1 is the workflow's input."""
    return f"{workflow}:outputs"


def large_values(workflow: str) -> str:
    """HASH: the large inputs and outputs of attempts that run, see `lfr.store.workflows.large_values`."""
    return f"{workflow}{pointers.LARGE_SUFFIX}"


def facts(workflow: str) -> str:
    """LIST: the history, elements for each transition, see `lfr.store.workflows.history`."""
    return f"{workflow}:facts"


def removed_history(workflow: str) -> str:
    """STRING: what the entries of the history said that were removed, as JSON, see
    `lfr.operations.inspect.history_state`."""
    return f"{workflow}:removed"


def history(workflow: str) -> str:
    """STREAM: the older part of the history of a workflow that an earlier version began."""
    return f"{workflow}:history"


def task_log(workflow: str) -> str:
    """HASH: what the tasks of a workflow have written, see `lfr.store.workflows.task_logs`."""
    return f"{workflow}:task-log"


def whole_data(workflow: str) -> tuple[str, ...]:
    """Return the keys of a workflow that describe it as a whole: all but those of single steps."""
    histories = facts(workflow), removed_history(workflow), history(workflow)
    data = steps(workflow), outputs(workflow), *histories
    return workflow, *data, counted_attempts(workflow), large_values(workflow), task_log(workflow)


def task_progress(workflow: str, index: int) -> str:
    """STRING: the last progress report of a running task's worker, as JSON: at (milliseconds since the
    epoch), attempt, run, fraction, text; expires."""
    return f"{workflow}:progress:{index}"


def delayed_start(workflow: str, index: int, attempt: int, run: str) -> str:
    """STRING: the start-task event of an attempt that is delayed or held back, in lines of JSON: its values
    and its timeout, its input, its parameters."""
    return f"{workflow}:start:{index}.{attempt}{_run_suffix('.', run)}"


def items(workflow: str, index: int) -> str:
    """HASH: the items of an iterated step, while it runs or can be restarted.

    total, begun, done: how many; round: see ItemId; iN: the item N as JSON, until it begins; oN: its
    output as JSON, once it has ended.
    """
    return f"{workflow}:items:{index}"


def out_of_band_output(workflow: str, index: int) -> str:
    """STRING: an output as JSON, written before the end-task event: by a worker for littleflow_redis, or for
    a `request:` task that its server completes."""
    return f"{workflow}:output:{index}"


def wait(workflow: str, index: int, attempt: int, run: str) -> str:
    """STRING: the wait of an attempt, in lines of JSON; or a mark, for a while after it was cancelled."""
    return f"{workflow}:wait:{index}.{attempt}{_run_suffix('.', run)}"


def counted_attempts(workflow: str) -> str:
    """HASH: step index -> `ATTEMPT LATCH`: the latest attempt that has acquired or released a latch, below
    zero if it was refused; 0 once the step has ended, so that its next start counts anew. `stopped`
    -> 0 once such an attempt was stopped: that changes the hash for those who watch it."""
    return f"{workflow}:latched"


def latch(name: str) -> str:
    """STRING: a latch's count; it expires some time after it has become zero."""
    return f"workflow:latch:{name}"


def latch_waiters(name: str) -> str:
    """ZSET: `attempt_member`, the countdowns of a latch by the `StreamId.score` of their start-task."""
    return f"waits:latch:{name}"


def latch_holders(name: str) -> str:
    """ZSET: the ids of the workflows and items that hold a latch, by how many acquires of each no release of
    its own has undone. It says who may hold the latch: another workflow may release it for them."""
    return f"waits:holders:{name}"


def opened_countdowns(tag: str) -> str:
    """ZSET: as `latch_waiters`: the countdowns of a latch that was opened, until each has completed."""
    return f"waits:opened:{tag}"


def field_sets(kind: str) -> str:
    """HASH: field set -> 1, or 0 until all buffered events of this kind are indexed by it. A field set is the
    names of the fields that waits for events of this kind ask for, see `lfr.tasks.match_keys`."""
    return f"waits:fields:{kind}"


def field_set_counts(kind: str) -> str:
    """HASH: field set -> how many waits ask for it."""
    return f"waits:counts:{kind}"


def event_waits(match_key: str) -> str:
    """ZSET: `attempt_member`, the waits of this match key by the `StreamId.score` of their start-task."""
    return f"waits:place:{match_key}"


def kind_waits(kind: str) -> str:
    """ZSET: as `event_waits`: the waits for events of this kind, whatever their match. People list them."""
    return f"waits:kind:{kind}"


def buffered_event(id: str) -> str:
    """STRING: a buffered event, as JSON; expires."""
    return f"waits:event:{id}"


def buffered_events(kind: str) -> str:
    """ZSET: the ids of the buffered events of this kind by their `StreamId.score`; expires."""
    return f"waits:kept:{kind}"


def unused_events(match_key: str) -> str:
    """ZSET: as `buffered_events`: those of this match key that have completed no wait yet; expires."""
    return f"waits:free:{match_key}"


def used_events(match_key: str) -> str:
    """ZSET: as `unused_events`: those that have completed a wait. They still complete earlier waits."""
    return f"waits:taken:{match_key}"


def begun_calls(root: str, run: str) -> str:
    """STRING: how many children of calls have begun for an outermost workflow; expires, and goes with it."""
    return f"workflows:calls:{root} {run}"


def process(id: str) -> str:
    """STRING: the description of a role's process, as JSON; expires without heartbeats."""
    return f"workflows:process:{id}"


def attempt_member(workflow: str, index: int, attempt: int, run: str) -> str:
    """Return the member `W INDEX ATTEMPT RUN`, which stands for an attempt, or for its wait, in a zset. A
    workflow that an earlier version has started has no run: then it is `W INDEX ATTEMPT`."""
    return f"{workflow} {index} {attempt}{_run_suffix(' ', run)}"


def parse_attempt_member(member: str) -> tuple[str, int, int, str]:
    """Return the workflow's id, the step's index, the attempt's number and the run, empty if there is none,
    of a member from `attempt_member`."""
    workflow, index, attempt, *run = member.split(" ")
    return workflow, int(index), int(attempt), "".join(run)


def _run_suffix(separator: str, run: str) -> str:
    return f"{separator}{run}" if run else ""
