"""The dashboard, the alert rules and the documents use metrics and labels that a running installation has."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from pathlib import Path

import pytest
import urllib3
import yaml
from prometheus_client.parser import text_string_to_metric_families

from lfr.host.valkey import ValkeyServer
from lfr.host.valkey_address import free_port
from tests.conftest import emptied
from tests.support.processes import lfr, role
from tests.support.waiting import eventually

DOCS = Path(__file__).parents[2] / "docs"

TASKS = """
from lfr import task

@task("img:resize")
def resize(input):
    if input == "broken":
        raise ValueError("no image")
    return {}
"""

_NAME = re.compile(r"\blfr_\w+")
_SELECTOR = re.compile(r"\b(lfr_\w+)\{(.*?)\}")
_GROUPING = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")

OF_PROMETHEUS = {"job", "instance"}
"""Labels that Prometheus adds."""


@pytest.fixture(scope="module")
def metrics(server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The labels of each metric of an installation with work, failures, a pause and schedules."""
    url, folder = emptied(server), tmp_path_factory.mktemp("monitoring")
    (folder / "images.py").write_text(TASKS)
    (folder / "good.flow").write_text("@flow good img:resize")
    (folder / "nightly.flow").write_text("@flow nightly (- schedule: {cron: '0 3 * * *'} -) img:resize")
    (folder / "lonely.flow").write_text("@flow lonely nobody:does")
    address = f"127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        stack.enter_context(role("lifecycle", url=url))
        stack.enter_context(role("tasks", str(folder / "images.py"), url=url))
        stack.enter_context(role("api", address, url=url))
        rules = {"LFR_NOTIFY_RULES": "r.when=failed r.to=command:c", "LFR_NOTIFY_COMMANDS": "c=/bin/true"}
        stack.enter_context(role("notify", url=url, more=rules))
        for arguments in (
            ("apply", str(folder / "nightly.flow")),
            ("run", str(folder / "good.flow"), "--wait"),
            ("run", str(folder / "good.flow"), "--input", '"broken"'),
            ("run", str(folder / "lonely.flow")),
            ("pause", "--flow", "lonely"),
        ):
            reply = lfr(*arguments, url=url)
            assert reply.returncode == 0, reply.stderr

        def read_labels() -> dict[str, set[str]]:
            labels: dict[str, set[str]] = {}
            try:
                reply = urllib3.request("GET", f"http://{address}/metrics", retries=False)
            except urllib3.exceptions.HTTPError:  # it does not listen yet
                return labels
            for family in text_string_to_metric_families(reply.data.decode()):
                for sample in family.samples:
                    labels.setdefault(sample.name, set()).update(sample.labels)
            return labels

        expected = {"lfr_workflows_failed_total", "lfr_task_seconds_count", "lfr_notices_sent_total"}
        eventually(lambda: expected <= read_labels().keys())
        return read_labels()


def check(expression: str, metrics: dict[str, set[str]]) -> None:
    """Check that an expression of PromQL uses names and labels that there are."""
    names = set(_NAME.findall(expression))
    assert names and names <= metrics.keys(), expression
    for name, matchers in _SELECTOR.findall(expression):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert labels <= metrics[name] | OF_PROMETHEUS, expression
    for grouping in _GROUPING.findall(expression):
        labels = {label for label in re.split(r"[,\s]+", grouping) if label} - OF_PROMETHEUS
        assert all(labels <= metrics[name] for name in names), expression


def test_the_dashboard(metrics: dict[str, set[str]]) -> None:
    dashboard = json.loads((DOCS / "monitoring" / "grafana.json").read_text())
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", ())]
    used = set()
    for target in targets:
        check(target["expr"], metrics)
        labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert all(labels <= metrics[name] for name in _NAME.findall(target["expr"]))
        used |= set(_NAME.findall(target["expr"]))
    assert metrics.keys() - used == set()  # all that there is can be seen


def test_the_alert_rules(metrics: dict[str, set[str]]) -> None:
    [group] = yaml.safe_load((DOCS / "monitoring" / "alerts.yaml").read_text())["groups"]
    assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"]) > 10
    for rule in group["rules"]:
        check(rule["expr"], metrics)
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        named = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        assert any(named <= metrics[name] for name in _NAME.findall(rule["expr"])), rule["alert"]


def test_the_documents(metrics: dict[str, set[str]]) -> None:
    part = (DOCS / "api.md").read_text().partition("\n## Metrics\n")[2].partition("\n## ")[0]
    documented: dict[str, set[str]] = {}
    for line in part.splitlines():
        if line.startswith("| `lfr_"):
            names, labels = line.split("|")[1:3]
            for name in _NAME.findall(names):
                documented[name] = set(re.findall(r"`(\w+)`", labels))
    parts = ("_bucket", "_count", "_sum")
    expected = {name: labels for name, labels in metrics.items() if not name.endswith(parts)}
    expected["lfr_task_seconds"] = metrics["lfr_task_seconds_bucket"]
    assert documented == expected
