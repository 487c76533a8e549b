"""Routes that examine the installation, as `lfr doctor` does, and mend what is safe to mend."""

from __future__ import annotations

from typing import Final

from lfr.errors import BadInput
from lfr.operations.access import Access
from lfr.operations.doctor.examine import examine
from lfr.operations.doctor.finding import Severity
from lfr.web.http import Request, Response, json_response
from lfr.web.large_responses import alone
from lfr.web.route import get, post
from lfr.web.routes.schemas import (
    BOOLEAN,
    JSON,
    NULLABLE_TEXT,
    TEXT,
    Schema,
    array,
    enum,
    object_schema,
    ok,
)


def _examine(request: Request) -> Response:
    return json_response({"findings": [finding.to_dict() for finding in examine(request.store)]})


def _mend(request: Request) -> Response:
    body = request.fields()
    checks = body.get("checks")
    if checks is not None and not (
        isinstance(checks, list) and all(isinstance(each, str) for each in checks)
    ):
        raise BadInput("checks must be a list of texts, as GET /doctor returns them", hint="or null: all")
    findings = list(examine(request.store))
    mended = [
        finding.mend() if finding.mend is not None and (checks is None or finding.check in checks) else None
        for finding in findings
    ]
    rows = zip(findings, mended, strict=True)
    return json_response({"findings": [{**finding.to_dict(), "mended": text} for finding, text in rows]})


_FINDING: Final[dict[str, Schema]] = {
    "severity": enum(*Severity),
    "check": TEXT,
    "text": TEXT,
    "matters": TEXT,
    "cure": TEXT,
    "mendable": BOOLEAN,
}

ROUTES: Final = (
    get(
        "/doctor",
        alone(_examine),
        "Examine the installation: what is wrong, why it matters, and the cure. It reads each key once.",
        access=Access.OPERATE,
        responses=ok(object_schema({"findings": array(object_schema(_FINDING))})),
        problems=(503,),
    ),
    post(
        "/doctor",
        alone(_mend),
        "Examine the installation, and mend what is safe to mend: all of it, or these checks.",
        access=Access.ADMIN,
        body={JSON: object_schema({}, {"checks": {"type": ["array", "null"], "items": TEXT}})},
        needs_body=False,
        responses=ok(
            object_schema({"findings": array(object_schema({**_FINDING, "mended": NULLABLE_TEXT}))})
        ),
        problems=(400, 503),
    ),
)
