"""Routes that archive and restore workflows."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import quote

from lfr.errors import Conflict
from lfr.host.files import write_atomically
from lfr.operations.access import Access
from lfr.operations.archive.archive import archive_file_name, archive_workflow, restore_workflow
from lfr.values.json import encode_json
from lfr.web.http import Request, Response, json_response
from lfr.web.large_responses import archiving
from lfr.web.route import Parameter, get, post
from lfr.web.routes.schemas import JSON, OBJECT, TEXT, WORKFLOW_ID, object_schema, ok


def _get_archive(request: Request) -> Response:
    document = archive_workflow(request.store, request.path["id"])
    name = archive_file_name(document)
    return json_response(document, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _write_archive(request: Request) -> Response:
    folder = request.store.settings.archive_folder
    if not folder:
        raise Conflict("this server has no folder for archives", hint="set archive.folder")
    document = archive_workflow(request.store, request.path["id"])
    path = Path(folder) / archive_file_name(document)
    write_atomically(path, encode_json(document) + "\n")
    return json_response({"file": str(path)}, HTTPStatus.CREATED)


def _restore(request: Request) -> Response:
    id = restore_workflow(request.store, request.body, request.query.get("workflow"))
    location = f"{request.root}/workflows/{quote(id)}"
    return json_response({"workflow": id}, HTTPStatus.CREATED, {"Location": location})


ROUTES: Final = (
    post(
        "/workflows/restore",
        _restore,
        "Restore a workflow from an archive.",
        access=Access.ADMIN,
        query=(Parameter("workflow", TEXT, "its id; default: the archived id if it is free, else a new id"),),
        body={JSON: OBJECT},
        responses={201: {JSON: WORKFLOW_ID}},
        problems=(400, 409),
    ),
    get(
        "/workflows/{id}/archive",
        archiving(_get_archive),
        "Get the archive of a workflow.",
        responses=ok(OBJECT),
        problems=(400, 404, 409, 503),
    ),
    post(
        "/workflows/{id}/archive",
        archiving(_write_archive),
        "Write the archive of a workflow to the server's folder for archives.",
        access=Access.ADMIN,
        responses={201: {JSON: object_schema({"file": TEXT})}},
        problems=(400, 404, 409, 503, 507),
    ),
)
