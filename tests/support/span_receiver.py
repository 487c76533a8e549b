"""A receiver of spans in a thread of the test: it checks each request against the schema of OTLP."""

from __future__ import annotations

import gzip
import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_IDS = ("traceId", "spanId", "parentSpanId")


def parse_request(body: Any) -> list[Span]:
    """Return the spans of an export request in JSON. Raises ParseError for one that is not as the protocol
    has it: unknown names, numbers out of range. OTLP has ids in hexadecimal where protobuf has base64."""
    copy = json.loads(json.dumps(body))
    for resource in copy["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                span.update(
                    {name: b64encode(bytes.fromhex(span[name])).decode() for name in _IDS if name in span}
                )
    request = ParseDict(copy, ExportTraceServiceRequest())
    spans = [span for each in request.resource_spans for scope in each.scope_spans for span in scope.spans]
    assert all(len(span.trace_id) == 16 and len(span.span_id) == 8 for span in spans)
    assert all(len(span.parent_span_id) in (0, 8) for span in spans)
    return spans


def attributes(span: Span) -> dict[str, Any]:
    """Return the attributes of a span."""
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in span.attributes}


class SpanServer:
    """Takes spans.

    requests  each as its headers (by name in small letters) and its spans
    answers   the codes, bodies and headers of the next responses; after them: 200 and {}
    held      while it is not set, requests wait for it before they are answered
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[tuple[dict[str, str], list[Span]]] = []
        self.answers: list[tuple[int, str, dict[str, str]]] = []
        self.held = threading.Event()
        self.held.set()

    def spans(self) -> list[Span]:
        """Return all spans that have come."""
        return [span for _, spans in list(self.requests) for span in spans]


@contextmanager
def span_server() -> Iterator[SpanServer]:
    """Run a receiver of spans at `/v1/traces`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): text for name, text in self.headers.items()}
            body = gzip.decompress(self.rfile.read(int(headers["content-length"])))
            is_right = self.path == "/v1/traces" and headers["content-type"] == "application/json"
            code, text, more = (200, "{}", {}) if is_right else (404, "", {})
            if is_right:
                server.requests.append((headers, parse_request(json.loads(body))))
                server.held.wait()
                if server.answers:
                    code, text, more = server.answers.pop(0)
            self.send_response(code)
            for name, value in {**more, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server = SpanServer(http.server_port)
        threading.Thread(target=http.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.held.set()
            http.shutdown()
