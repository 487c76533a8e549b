"""Sends HTTP requests for workflows: the `request:` tasks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from lfr import events
from lfr.outbound.request_sender import RequestFailed, RequestSender
from lfr.runtime.process import RoleContext, run_consumers
from lfr.runtime.retry import is_current_with_retry, retry_on_disconnect
from lfr.store.base_urls import read_base_url
from lfr.store.littleflow_compat import hand_over, take_back
from lfr.store.redis.connection import Store
from lfr.tasks.catalogue import REQUEST_PREFIX
from lfr.tasks.parameters import BadParameter
from lfr.tasks.request import Request, RequestParameters, build_request, parse_request_parameters
from lfr.values.json import Json
from lfr.worker.executor import AttemptOver, CompletedElsewhere, TaskExecutor, TaskFailed

_CONCURRENCY: Final = 32
"""How many requests are on their way at once: most of the time is spent waiting for servers."""


def request_runner(store: Store) -> TaskExecutor:
    """Does the request: tasks. Any number of these may run side by side. Raises BadSettings."""
    requests = RequestSender(store.settings)

    def work(task: events.StartTask) -> Json:
        try:
            return do_request(store, requests, task)
        except (BadParameter, RequestFailed) as error:
            raise TaskFailed(str(error)) from None

    return TaskExecutor(
        store, "request", work, is_ours=lambda task: task.startswith(REQUEST_PREFIX), concurrency=_CONCURRENCY
    )


def do_request(store: Store, requests: RequestSender, task: events.StartTask) -> Json:
    """Send what a task asks for; its output.

    Raises BadParameter, RequestFailed, NotWanted, and AnsweredElsewhere if the far side is to end the task.
    """
    if not is_current_with_retry(store, task):
        raise AttemptOver
    wanted = parse_request_parameters(task)
    base = _base_url(store, wanted)
    request = build_request(wanted, base)
    send = partial(requests.send, request, base, is_current=lambda: is_current_with_retry(store, task))
    if request.is_sync:
        return send()
    _send_and_leave(store, request, send)
    raise CompletedElsewhere


def _base_url(store: Store, wanted: RequestParameters) -> str:
    """That of the configuration, else that in Redis; empty if there is none."""
    configured = store.settings.request_urls.get(f"{wanted.environ}.{wanted.category}")
    if configured:
        return configured
    return retry_on_disconnect(
        store, lambda connection: read_base_url(connection, wanted.environ, wanted.category), "a request"
    )


def _send_and_leave(store: Store, request: Request, send: Callable[[], Json]) -> None:
    """Send a request whose task the far side ends. If that gives no output, it is what is left here: the
    input at first, for the far side may be quick, then with what of the answer was asked for."""
    step = (request.task.workflow, request.task.index)
    retry_on_disconnect(
        store, lambda connection: hand_over(connection, *step, request.task.input), "a request"
    )
    try:
        output = send()
    except RequestFailed:
        retry_on_disconnect(store, lambda connection: take_back(connection, *step), "a request")
        raise
    if request.output_modes:
        retry_on_disconnect(
            store, lambda connection: hand_over(connection, *step, output, again=True), "a request"
        )


def run(store: Store, context: RoleContext) -> int:
    """Run the role until it is stopped; the process's exit code. Raises BadSettings."""
    return run_consumers(context, [request_runner(store)])
