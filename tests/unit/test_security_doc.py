"""docs/security.md: each bound has a test that exists, and the numbers are those of the code."""

from __future__ import annotations

import pytest

from lfr.config.settings import Settings, all_settings
from lfr.engine.advance import MAX_STARTS
from lfr.engine.step_inputs import MAX_BYTES, MAX_VALUES
from lfr.events import MAX_REASON
from lfr.flow import MAX_ATTEMPT
from lfr.labels import MAX_LABELS, MAX_VALUE
from lfr.language.graph_rules import MAX_TURNS
from lfr.lifecycle import items
from lfr.operations import flow_runs, follow, workflow_filter
from lfr.operations.archive import parse
from lfr.operations.inspect.values import MAX_INPUT_BYTES, MAX_OUTPUT_BYTES
from lfr.operations.select_workflows import MAX_COST, RECORD_COST
from lfr.roles import lifecycle
from lfr.store.api_tokens import MAX_TOKENS
from lfr.store.stream.read_size import MAX_READ_BYTES
from lfr.store.waits.match import MAX_FIELD_SETS
from lfr.store.workflows import history
from lfr.tasks import request
from lfr.tasks.template import MAX_CHARACTERS
from lfr.tasks.wait_spec import MAX_MATCH_CHARACTERS
from lfr.values.work import MAX_LOOKS
from lfr.web import memory, server, turns, waitress_server
from lfr.web.large_responses import MAX_ARCHIVE_BYTES
from lfr.web.server import MAX_STREAMS
from tests.support.pages import PAGES, ROOT

PAGE = PAGES["docs/security.md"]

BOUNDS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("\n## Bounds\n")[2].splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| what"))
]


@pytest.mark.parametrize("row", BOUNDS, ids=lambda row: row[0])
def test_each_bound_has_its_setting_and_its_test(row: list[str]) -> None:
    _, limit, setting, outcome, test = row
    assert limit and outcome
    names = {each.name for each in all_settings()} | {"none"}
    is_parameter = setting.startswith("parameter ")
    assert is_parameter or set(setting.replace("`", "").split(", ")) <= names
    assert all((ROOT / each.strip(" `")).is_file() for each in test.split(","))


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("looks at values by guards and merges of one transition", f"{MAX_LOOKS:,}"),
        ("such looks of one pass of a lifecycle", f"{lifecycle._MAX_LOOKS:,}"),
        ("such looks of the items that begin together", f"{items._MAX_LOOKS:,}"),
        ("steps that start in one transition", f"{MAX_STARTS:,}, and four times those of the flow"),
        ("values in the lists that one transition makes", f"{MAX_VALUES:,}"),
        ("bytes of the inputs of one transition", f"{MAX_BYTES // 2**20} MiB"),
        ("characters that a template makes", f"{MAX_CHARACTERS // 2**20} Mi"),
        ("characters that the templates of a `match` make", f"{MAX_MATCH_CHARACTERS // 2**10} Ki"),
        (
            "characters that the templates of all headers make",
            f"{request._MAX_HEADER_CHARACTERS // 2**10} Ki",
        ),
        ("sets of fields that waits for one kind match by", f"{MAX_FIELD_SETS}"),
        ("bytes of the events of one pass", f"{MAX_READ_BYTES // 2**20} MiB, or one event"),
        ("size of a value in events of lfr's own workers", f"{Settings().values_large // 2**10} KiB"),
        (
            "activations and invocations of a step in an archive",
            f"what its edges give; {MAX_TURNS:,} turns of a loop",
        ),
        ("attempts of a step in an archive", f"{MAX_ATTEMPT:,}"),
        ("characters of the reason of a failure", f"{MAX_REASON:,}"),
        ("labels of a workflow; characters of a name, of a value", f"{MAX_LABELS}; 63, {MAX_VALUE}"),
        ("characters of a filter", f"{workflow_filter.MAX_CHARACTERS:,}"),
        (f"ids that one page of a list looks at; a record counts as {RECORD_COST}", f"{MAX_COST:,}"),
        (
            "bytes of the inputs of all steps that one description of a workflow has; of the outputs",
            f"{MAX_INPUT_BYTES // 2**20} MiB; {MAX_OUTPUT_BYTES // 2**20} MiB",
        ),
        (
            "searches, checks and stores of flows, backfills, bulk actions and the like at once",
            f"{turns.AT_ONCE}",
        ),
        ("streams, and tests of notices and of traces, at once", f"{MAX_STREAMS}"),
        (
            "bytes of values, and 5 times those of a flow, in memory for responses that are being made",
            f"{memory.MAX_BYTES // 2**20} MiB, or one response",
        ),
        (
            "runs of a flow, and steps of each, that are set beside each other; entries of the history of"
            " one",
            f"{flow_runs.MAX_RUNS}, {flow_runs.MAX_STEPS}; {flow_runs.MAX_ENTRIES:,}",
        ),
        ("named tokens", f"{MAX_TOKENS:,}"),
        ("bytes of a workflow that the API archives", f"{MAX_ARCHIVE_BYTES // 2**20} MiB"),
        (
            "bytes of responses that clients have not read",
            f"{waitress_server._MAX_UNREAD_BYTES // 2**20} MiB, or one response",
        ),
        (
            "bytes of bodies of requests that arrive, or wait for a thread",
            f"{waitress_server._MAX_ARRIVING_BYTES // 2**20} MiB, or one body",
        ),
        ("bytes of a body, or of an unread response, in memory", f"{server._MAX_IN_MEMORY // 2**10} KiB"),
        (
            "bytes of a stream that its client has not read",
            f"{server._MAX_UNREAD_OF_STREAM // 2**10} KiB, and one message",
        ),
        (
            "changes in one message of a stream; facts in an element of a history",
            f"{follow._ENOUGH_FACTS}, and those of one element;"
            f" {history._MOST_FACTS + history._MOST_OF_WORKFLOW}",
        ),
        (
            "running steps for whose tasks a stream looks for workers; tasks without one that it names",
            f"{follow._MAX_CHECKED:,}; {follow._MAX_MISSING}",
        ),
        ("steps of all parts of a flow that run for items in an archive", f"{parse._MAX_PART_STEPS:,}"),
    ],
)
def test_a_number_in_the_table_is_that_of_the_code(what: str, limit: str) -> None:
    assert {row[0]: row[1] for row in BOUNDS}[what] == limit
