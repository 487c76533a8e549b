"""Routes that archive and restore workflows."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Final

from lfr.errors import BadInput, Conflict
from lfr.host.files import write_atomically
from lfr.operations.access import Access
from lfr.operations.archive.archive import archive_file_name, archive_workflow, restore_workflow
from lfr.outbound.archive_objects import (
    parse_archive_object,
    parse_archive_uri,
    read_archive_object,
    write_archive_object,
)
from lfr.outbound.object_store import ObjectLocation, parse_object_uri
from lfr.values.json import Json, encode_json
from lfr.web.heavy_requests import held_turn
from lfr.web.http import Request, Response, json_response, workflow_response
from lfr.web.large_responses import archiving, reserved
from lfr.web.request_parser import PARSED_FACTOR
from lfr.web.route import Parameter, get, post
from lfr.web.routes.schemas import JSON, NULLABLE_TEXT, OBJECT, TEXT, WORKFLOW_ID, object_schema, ok


def get_archive(request: Request) -> Response:
    """Return the archive of a workflow, for a file."""
    document = archive_workflow(request.store, request.path["id"])
    name = archive_file_name(document)
    return json_response(document, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def write_archive(request: Request) -> dict[str, str]:
    """Write the archive of a workflow to the folder, or to the `uri` of the body. Return where it is: `file`
    or `uri`."""
    settings = request.store.settings
    uri = request.optional_text("uri")
    if uri is None and not settings.archive_folder:
        raise Conflict("this server has no folder for archives", hint="set archive.folder, or name a uri")
    document = archive_workflow(request.store, request.path["id"])
    if uri is not None:
        location = parse_archive_uri(uri, document)
        check_permitted(location, settings.archive_buckets)
        with held_turn(request):
            write_archive_object(settings, location, document)
        return {"uri": str(location)}
    path = Path(settings.archive_folder) / archive_file_name(document)
    write_atomically(path, encode_json(document) + "\n")
    return {"file": str(path)}


def _write_archive(request: Request) -> Response:
    return json_response(write_archive(request), HTTPStatus.CREATED)


def check_permitted(location: ObjectLocation, buckets: tuple[str, ...]) -> None:
    """Raise Conflict unless the setting `archive.buckets` has the location: a token must not permit all that
    the server's key for S3 permits."""
    if not any(map(location.is_in, buckets)):
        hint = f"archive.buckets needs {location.bucket}, or a folder in it"
        raise Conflict(f"{location} is in no bucket that this server may use for archives", hint=hint)


def restore(request: Request) -> str:
    """Restore the workflow whose archive the body is, or names by `uri`, and return its id."""
    document, name = request.body, request.query.get("workflow")
    if not isinstance(document, dict) or "uri" not in document:
        return restore_workflow(request.store, document, name)
    location = _archive_location(request, document)
    with held_turn(request):  # S3 may take long, and its objects may be as large as bodies
        content = read_archive_object(request.store.settings, location, request.store.settings.api_body)
        refusal = "too many large archives are being read; try again"
        with reserved(request.memory, PARSED_FACTOR * len(content), refusal):
            return restore_workflow(request.store, parse_archive_object(location, content), name)


def _restore(request: Request) -> Response:
    id = restore(request)
    return workflow_response(request, id)


def _archive_location(request: Request, body: dict[str, Json]) -> ObjectLocation:
    """Return where the archive is that the body names, in place of having it."""
    if others := [name for name in body if name != "uri"]:
        raise BadInput(f"a body with uri has no other field, such as {others[0][:40]!r}")
    location = parse_object_uri(request.text("uri"))
    check_permitted(location, request.store.settings.archive_buckets)
    return location


_ARCHIVE: Final = {**OBJECT, "description": 'an archive; or {"uri": "s3://BUCKET/KEY"}, where it is'}

ROUTES: Final = (
    post(
        "/workflows/restore",
        _restore,
        "Restore a workflow from an archive.",
        access=Access.ADMIN,
        query=(Parameter("workflow", TEXT, "its id; default: the archived id if it is free, else a new id"),),
        body={JSON: _ARCHIVE},
        responses={201: {JSON: WORKFLOW_ID}},
        problems=(400, 404, 409, 502, 503),
    ),
    get(
        "/workflows/{id}/archive",
        archiving(get_archive),
        "Get the archive of a workflow.",
        responses=ok(OBJECT),
        problems=(400, 404, 409, 503),
    ),
    post(
        "/workflows/{id}/archive",
        archiving(_write_archive),
        "Write the archive of a workflow to the server's folder for archives, or to S3.",
        access=Access.ADMIN,
        body={JSON: object_schema({}, {"uri": NULLABLE_TEXT})},
        needs_body=False,
        responses={201: {JSON: object_schema({}, {"file": TEXT, "uri": TEXT})}},
        problems=(400, 404, 409, 503, 507),
    ),
)
