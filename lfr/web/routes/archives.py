"""Workflows archived, and made again of archives."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import quote

from lfr.errors import Conflict
from lfr.host.atomic_write import write_atomically
from lfr.operations.archive.archive import archive_file_name, archive_workflow, restore_workflow
from lfr.values.json import encode_json
from lfr.web.http import Access, Answer, Parameter, Request, Route, json_answer
from lfr.web.routes.schemas import JSON, OBJECT, STARTED, TEXT, ok, record


def _archive(request: Request) -> Answer:
    document = archive_workflow(request.store, request.path["id"])
    name = archive_file_name(document)
    return json_answer(document, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _keep_archive(request: Request) -> Answer:
    folder = request.store.settings.archive_folder
    if not folder:
        raise Conflict("there is no folder for archives here", hint="the setting archive.folder names one")
    document = archive_workflow(request.store, request.path["id"])
    path = Path(folder) / archive_file_name(document)
    write_atomically(path, encode_json(document) + "\n")
    return json_answer({"file": str(path)}, HTTPStatus.CREATED)


def _restore(request: Request) -> Answer:
    id = restore_workflow(request.store, request.body, request.query.get("workflow"))
    place = f"{request.root}/workflows/{quote(id)}"
    return json_answer({"workflow": id}, HTTPStatus.CREATED, {"Location": place})


ROUTES: Final = (
    Route(
        "POST",
        "/workflows/restore",
        _restore,
        Access.OPERATE,
        "Make a workflow of an archive.",
        query=(Parameter("workflow", TEXT, "its id; else as it was if that is free, else a new one"),),
        body={JSON: OBJECT},
        answers={201: {JSON: STARTED}},
        problems=(400, 409),
    ),
    Route(
        "GET",
        "/workflows/{id}/archive",
        _archive,
        Access.READ,
        "All of a workflow as one document.",
        answers=ok(OBJECT),
        problems=(400, 404, 409),
    ),
    Route(
        "POST",
        "/workflows/{id}/archive",
        _keep_archive,
        Access.OPERATE,
        "Write all of a workflow into the server's folder for archives.",
        answers={201: {JSON: record({"file": TEXT})}},
        problems=(400, 404, 409, 507),
    ),
)
