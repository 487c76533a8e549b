"""Spans, and their JSON for OTLP/HTTP.

The JSON is that of `ExportTraceServiceRequest` of opentelemetry-proto: names in lowerCamelCase, ids in
hexadecimal, 64-bit numbers as text. (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from lfr import __version__
from lfr.values.json import Json, encode_json
from lfr.values.printable import printable
from lfr.values.texts import cut

AttributeValue: TypeAlias = str | int | float | bool

_INTERNAL: Final = 1
_ERROR: Final = 2
"""SPAN_KIND_INTERNAL and STATUS_CODE_ERROR. A span that has not failed has no status, as OpenTelemetry asks
of everybody but applications."""

_MAX_TEXT: Final = 1000
"""Characters of the text of an attribute or of a status; the rest is cut."""

_MAX_BATCH_BYTES: Final = 2**20
"""About how many bytes of JSON one request has, before it is compressed."""


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """What has happened within a span, at a time in milliseconds since the epoch."""

    at_ms: int
    name: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """A span: times in milliseconds since the epoch; `parent_id` is empty for the first of a trace; `failure`
    says why it has failed, None: it has not."""

    trace_id: str
    id: str
    parent_id: str
    name: str
    start_ms: int
    end_ms: int
    attributes: Mapping[str, AttributeValue]
    failure: str | None = None
    events: Sequence[SpanEvent] = ()
    flags: int = 1

    def within(self, around: Span) -> Span:
        """Return it cut to the times of another one."""
        if around.start_ms <= self.start_ms <= self.end_ms <= around.end_ms:
            return self
        start_ms = min(max(self.start_ms, around.start_ms), around.end_ms)
        return replace(self, start_ms=start_ms, end_ms=min(max(self.end_ms, start_ms), around.end_ms))

    def to_dict(self) -> dict[str, Json]:
        """Return it as OTLP encodes it in JSON."""
        span: dict[str, Json] = {"traceId": self.trace_id, "spanId": self.id}
        if self.parent_id:
            span["parentSpanId"] = self.parent_id
        span |= {
            "flags": self.flags,
            "name": _text(self.name),
            "kind": _INTERNAL,
            "startTimeUnixNano": _nanoseconds(self.start_ms),
            "endTimeUnixNano": _nanoseconds(self.end_ms),
            "attributes": _attributes(self.attributes),
        }
        if self.events:
            span["events"] = [
                {
                    "timeUnixNano": _nanoseconds(event.at_ms),
                    "name": event.name,
                    "attributes": _attributes(event.attributes),
                }
                for event in self.events
            ]
        if self.failure is not None:
            span["status"] = {"code": _ERROR, "message": _text(self.failure)}
        return span


def export_request(spans: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """Return the request that exports these spans, each as `Span.to_dict` returns it."""
    resource = {"service.name": "lfr", "service.version": __version__}
    scope = {"name": "lfr", "version": __version__}
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(resource)},
                "scopeSpans": [{"scope": scope, "spans": list(spans)}],
            }
        ]
    }


def encode_requests(spans: Iterable[Span]) -> Iterator[tuple[bytes, int]]:
    """Yield the requests that export these spans, as JSON of about 1 MiB, each with the number of its
    spans."""
    head, tail = encode_json(export_request(())).split('"spans":[]')
    texts: list[str] = []
    size = 0
    for span in spans:
        text = encode_json(span.to_dict())
        if texts and size + len(text) > _MAX_BATCH_BYTES:
            yield f'{head}"spans":[{",".join(texts)}]{tail}'.encode(), len(texts)
            texts, size = [], 0
        texts.append(text)
        size += len(text) + 1
    if texts:
        yield f'{head}"spans":[{",".join(texts)}]{tail}'.encode(), len(texts)


def _attributes(values: Mapping[str, AttributeValue]) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: AttributeValue) -> dict[str, Json]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
    return {"stringValue": _text(value)}


def _text(text: str) -> str:
    return cut(printable(text), _MAX_TEXT)


def _nanoseconds(ms: int) -> str:
    return f"{max(0, ms)}000000"
