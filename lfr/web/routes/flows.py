"""Flows that are not run: checked."""

from __future__ import annotations

from typing import Any, Final

from lfr.errors import BadInput
from lfr.language import Diagnostic, Severity, check_flow
from lfr.web.http import Access, Answer, Request, Route, json_answer
from lfr.web.routes.schemas import FINDING, FLOW, FLOW_TEXT, TEXT, array, record

_CHECKED: Final = record(
    {"ok": {"type": "boolean"}, "name": TEXT, "errors": array(FINDING), "warnings": array(FINDING)},
    {"flow": FLOW},
)


def _check(request: Request) -> Answer:
    text = request.body if request.media == "text/plain" else request.fields().get("workflow")
    if not isinstance(text, str):
        raise BadInput("workflow is missing: the text of a flow")
    checked = check_flow(text)
    told: dict[str, Any] = {
        "ok": checked.flow is not None,
        "name": checked.flow.name if checked.flow else "",
        "errors": _told(checked.diagnostics, Severity.ERROR),
        "warnings": _told(checked.diagnostics, Severity.WARNING),
    }
    return json_answer(told if checked.flow is None else {**told, "flow": checked.flow.to_dict()})


def _told(diagnostics: Any, severity: Severity) -> list[dict[str, Any]]:
    return [_diagnostic(diagnostic) for diagnostic in diagnostics if diagnostic.severity is severity]


def _diagnostic(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "line": diagnostic.line,
        "column": diagnostic.column,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
    }


ROUTES: Final = (
    Route(
        "POST",
        "/workflows/check",
        _check,
        Access.READ,
        "Errors and warnings of a flow, each with line and column. Nothing is run.",
        body={"application/json": record({"workflow": FLOW_TEXT}), "text/plain": FLOW_TEXT},
        answers={200: {"application/json": _CHECKED}},
        problems=(400,),
    ),
)
