"""What must hold in every test in a browser, whatever it looks at."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

_TELL = """
addEventListener("securitypolicyviolation", (event) =>
    console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
addEventListener("unhandledrejection", (event) => console.error(`nobody catches: ${event.reason}`));
"""


class Guard:
    """Collects every request to another origin than the first one's, every violation of the content security
    policy, every error of a page and every word of trouble on the browser's console.

    `expects`: words of trouble that a test brings about on purpose.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.origin = ""
        self.foreign: list[str] = []
        self.trouble: list[str] = []
        self._expected: list[str] = []
        context.add_init_script(_TELL)
        context.on("request", self._asked)
        context.on("console", self._said)
        context.on("weberror", self._failed)

    def expects(self, *words: str) -> None:
        """Console messages with these words in them are what this test wants."""
        self._expected += words

    def check(self) -> None:
        """Raise AssertionError if anything was not as it must be."""
        assert not self.foreign, f"requests to other origins: {self.foreign}"
        unexpected = [line for line in self.trouble if not any(word in line for word in self._expected)]
        assert not unexpected, f"trouble on the browser's console: {unexpected}"

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("data", "blob"):
            return
        origin = f"{parts.scheme}://{parts.netloc}"
        self.origin = self.origin or origin
        if origin != self.origin:
            self.foreign.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.trouble.append(f"{message.text} ({message.location.get('url', '')})")

    def _failed(self, error: WebError) -> None:
        self.trouble.append(f"not caught: {error.error}")
