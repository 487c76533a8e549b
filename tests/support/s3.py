"""An S3 server for tests: it stores objects in memory and checks each signature by itself.

It rebuilds what was signed from the request as it arrived, from the description of Signature Version 4, and
shares no code with lfr.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

ACCESS_KEY, SECRET_KEY, REGION = "AKIATEST", "secret/of+the-test", "eu-test-1"
_MAX_SKEW_SECONDS = 900


@dataclass(slots=True)
class S3Server:
    """A server with one bucket, `archives`.

    objects   content by key; `types`: media type by key
    failures  the codes of errors that the next requests get, with their status
    """

    url: str
    objects: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    failures: list[tuple[int, str]] = field(default_factory=list)
    clock_offset_seconds: float = 0
    requests: int = 0

    def environment(self) -> dict[str, str]:
        """Return the variables by which a client finds the server."""
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run a server on a free port for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            server.requests += 1
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            bucket, _, key = unquote(self.path[1:]).partition("/")
            now = datetime.now(UTC).timestamp() + server.clock_offset_seconds
            failure = server.failures.pop(0) if server.failures else _refusal(self, content, now)
            if failure is None and bucket != "archives":
                failure = 404, "NoSuchBucket"
            if failure is None and self.command == "GET" and key not in server.objects:
                failure = 404, "NoSuchKey"
            if failure is not None:
                status, code = failure
                document = f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>m</Message></Error>"
                self.reply(status, document.encode())
            elif self.command == "GET":
                self.reply(200, server.objects[key])
            else:
                server.objects[key] = content
                server.types[key] = self.headers.get("Content-Type", "")
                self.reply(200, b"")

        def reply(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = answer

        def log_message(self, format: str, *args: object) -> None:
            return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = S3Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def _refusal(request: BaseHTTPRequestHandler, content: bytes, now: float) -> tuple[int, str] | None:
    """Return status and code with which a request is refused; None if its signature is right."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    algorithm, _, rest = headers.get("authorization", "").partition(" ")
    fields = dict(part.split("=", 1) for part in rest.split(", "))
    access_key, day, region, service, end = fields["Credential"].split("/")
    time = headers["x-amz-date"]
    if access_key != ACCESS_KEY:
        return 403, "InvalidAccessKeyId"
    if region != REGION:
        return 400, f"AuthorizationHeaderMalformed</Code><Region>{REGION}</Region><Code>"
    sent_at = datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs(sent_at.timestamp() - now) > _MAX_SKEW_SECONDS:
        return 403, "RequestTimeTooSkewed"
    names = fields["SignedHeaders"].split(";")
    digest = hashlib.sha256(content).hexdigest()
    are_signed = all(name in names for name in headers if name == "host" or name.startswith("x-amz-"))
    if (algorithm, service, end, day) != ("AWS4-HMAC-SHA256", "s3", "aws4_request", time[:8]):
        return 400, "AuthorizationQueryParametersError"
    if not are_signed or digest != headers["x-amz-content-sha256"]:
        return 400, "XAmzContentSHA256Mismatch"
    path, _, query = request.path.partition("?")
    canonical = [request.command, path, query, *(f"{name}:{headers[name]}" for name in names), ""]
    canonical += [";".join(names), digest]
    hashed = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{time}\n{day}/{region}/s3/aws4_request\n{hashed}"
    key = b"AWS4" + SECRET_KEY.encode()
    for word in (day, region, "s3", "aws4_request", to_sign):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    return None if hmac.compare_digest(key.hex(), fields["Signature"]) else (403, "SignatureDoesNotMatch")
