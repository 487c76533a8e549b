"""Checks on the browser that hold in every test."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

_REPORT_SCRIPT = """
addEventListener("securitypolicyviolation", (event) =>
    console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
addEventListener("unhandledrejection", (event) => console.error(`uncaught rejection: ${event.reason}`));
"""


class Guard:
    """Collects requests to other origins than the first one, policy violations, uncaught
    errors, and warnings and errors on the browser's console.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.origin = ""
        self.foreign: list[str] = []
        self.trouble: list[str] = []
        self._expected: list[str] = []
        context.add_init_script(_REPORT_SCRIPT)
        context.on("request", self._check_request)
        context.on("console", self._check_message)
        context.on("weberror", self._record_error)

    def expects(self, *words: str) -> None:
        """Ignore console messages with these words: the test causes them."""
        self._expected += words

    def check(self) -> None:
        """Raise AssertionError if anything unexpected was collected."""
        assert not self.foreign, f"requests to other origins: {self.foreign}"
        unexpected = [line for line in self.trouble if not any(word in line for word in self._expected)]
        assert not unexpected, f"trouble on the browser's console: {unexpected}"

    def _check_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("data", "blob"):
            return
        origin = f"{parts.scheme}://{parts.netloc}"
        self.origin = self.origin or origin
        if origin != self.origin:
            self.foreign.append(request.url)

    def _check_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.trouble.append(f"{message.text} ({message.location.get('url', '')})")

    def _record_error(self, error: WebError) -> None:
        self.trouble.append(f"not caught: {error.error}")
