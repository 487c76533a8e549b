"""The role request: runs the `request:` tasks, which send HTTP requests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from lfr import events
from lfr.outbound.request_sender import RequestFailed, RequestSender
from lfr.runtime.process import RoleContext, run_consumers
from lfr.runtime.tasks import is_current_with_retry, retry_on_disconnect
from lfr.store.littleflow_compat import (
    drop_out_of_band_output,
    load_base_url,
    replace_out_of_band_output,
    save_out_of_band_output,
)
from lfr.store.redis.connection import Store
from lfr.tasks.catalogue import REQUEST_PREFIX
from lfr.tasks.parameters import BadParameter
from lfr.tasks.request import Request, RequestParameters, build_request, parse_request_parameters
from lfr.values.json import Json
from lfr.worker.executor import TaskExecutor
from lfr.worker.failures import CompletedElsewhere, TaskFailed

_CONCURRENCY: Final = 64
"""How many requests run at once; most of their time they wait for servers."""

_SHARE: Final = 32
"""How many of them one workflow may have, so that slow ones do not stop the others."""

_retry = partial(retry_on_disconnect, what="a request")


def request_executor(store: Store) -> TaskExecutor:
    """Return the executor of the request: tasks. Raises BadSettings."""
    sender = RequestSender(store.settings)

    def work(task: events.StartTask) -> Json:
        try:
            return send_request(store, sender, task)
        except (BadParameter, RequestFailed) as error:
            raise TaskFailed(str(error), is_final=isinstance(error, BadParameter)) from None

    return TaskExecutor(
        store, "request", work, claims=(f"{REQUEST_PREFIX}*",), concurrency=_CONCURRENCY, share=_SHARE
    )


def send_request(store: Store, sender: RequestSender, task: events.StartTask) -> Json:
    """Send the request of a task and return its output.

    Raises BadParameter, RequestFailed, and CompletedElsewhere after the request if the server completes the
    task.
    """
    parameters = parse_request_parameters(task)
    base = _load_base_url(store, parameters)
    request = build_request(parameters, base, with_trace=store.settings.traces_requests == "true")
    send = partial(sender.send, request, base, is_current=lambda: is_current_with_retry(store, task))
    if request.is_sync:
        return send()
    _send_with_output_left(store, request, send)
    raise CompletedElsewhere


def _load_base_url(store: Store, parameters: RequestParameters) -> str:
    """Return the base URL of the configuration, else that in Redis; empty if there is none."""
    environ, category = parameters.values["environ"], parameters.values["category"]
    configured = store.settings.request_urls.get(f"{environ}.{category}")
    return configured or _retry(store, lambda connection: load_base_url(connection, environ, category))


def _send_with_output_left(store: Store, request: Request, send: Callable[[], Json]) -> None:
    """Send a request whose task the server completes, and leave an out-of-band output for it.

    At first this is the input, because the task may end before the response; then the request's output. An
    end-task with an output overrides it. If the attempt is over, nothing is sent.
    """
    task = request.task
    if not _retry(store, lambda connection: save_out_of_band_output(connection, task, task.input)):
        return
    try:
        output = send()
    except RequestFailed:
        _retry(store, lambda connection: drop_out_of_band_output(connection, task))
        raise
    if request.output_modes:
        _retry(store, lambda connection: replace_out_of_band_output(connection, task, output))


def run(store: Store, context: RoleContext) -> int:
    """Run the role until it is stopped and return the exit code. Raises BadSettings."""
    return run_consumers(context, [request_executor(store)])
