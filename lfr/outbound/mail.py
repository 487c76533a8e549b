"""Sends notices by mail: to the SMTP server of the settings, over TLS unless these say otherwise."""

from __future__ import annotations

import binascii
import hashlib
import socket
import ssl
import time
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final, cast

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.notices.notice import Notice, message_body
from lfr.outbound.delivery_failed import DeliveryFailed
from lfr.outbound.timed_socket import TimedSocket, connect, remaining
from lfr.tasks.addresses import Address
from lfr.values.checks import HOST, digits
from lfr.values.json import encode_json
from lfr.values.printable import printable
from lfr.values.texts import cut

if TYPE_CHECKING:
    import smtplib

TIMEOUT_SECONDS: Final = 30.0
"""How long the exchange with the server takes, at most, from the look-up of its name to the last answer."""

_READY: Final = 220
"""What a server answers that is ready. (RFC 5321, 4.2.3; RFC 3207, 4)"""

_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_PORT: Final = digits(1, 65535)

_MAX_SUBJECT: Final = 150
_MAX_REASON: Final = 300


class MailServer:
    """The mail server of the settings. Thread-safe. Raises BadSettings when it is made."""

    def __init__(self, settings: Settings) -> None:
        if not settings.notify_mail_server or not settings.notify_mail_from:
            raise BadSettings("rules that send mail need both", place="notify.mail_server, notify.mail_from")
        self._mode = settings.notify_mail_tls
        host, colon, port = settings.notify_mail_server.rpartition(":")
        if not colon or "]" in port:
            host, port = settings.notify_mail_server, str(_PORTS[self._mode])
        self._host = host.removeprefix("[").removesuffix("]")
        if HOST.read(self._host) is None or _PORT.read(port) is None:
            raise BadSettings("it must be HOST or HOST:PORT", place="notify.mail_server")
        self._port = int(port)
        self._sender = settings.notify_mail_from
        if "@" not in self._sender or not self._sender.isascii() or not self._sender.isprintable():
            raise BadSettings("it must be an address, as lfr@example.com", place="notify.mail_from")
        self._username, self._password = settings.notify_mail_username, settings.notify_mail_password
        if self._mode == "none" and self._password:
            words = "with notify.mail_tls: none the password would travel in clear"
            raise BadSettings(words, place="notify.mail_password")
        self._tls = ssl.create_default_context()

    def send(self, address: str, notice: Notice, at_ms: int) -> None:
        """Send a notice to an address. Raises DeliveryFailed."""
        import smtplib  # imported late: it takes a while, and few roles need it

        message = make_message(notice, self._sender, address, at_ms)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        try:
            with ExitStack() as connections:
                server = self._connect(deadline, connections)
                if self._username:
                    server.login(self._username, self._password)
                server.send_message(message)
                with suppress(smtplib.SMTPException, OSError):  # it has the mail, whatever it says now
                    server.quit()
        except (smtplib.SMTPException, OSError, binascii.Error) as error:
            raise DeliveryFailed(_reason(error, deadline)) from None

    def _connect(self, deadline: float, connections: ExitStack) -> smtplib.SMTP:
        """Return a connection on which no operation lasts beyond a deadline, with TLS as the settings say.
        `connections` closes it."""
        import smtplib

        def secure(connection: socket.socket) -> socket.socket:
            connection.settimeout(remaining(deadline))
            secured = self._tls.wrap_socket(connection, server_hostname=self._host)
            return connections.enter_context(closing(secured))

        connection = connections.enter_context(
            closing(connect(self._host, self._port, deadline, _check_address))
        )
        server = smtplib.SMTP(local_hostname=socket.gethostname())
        connection = secure(connection) if self._mode == "tls" else connection
        server.sock = cast(socket.socket, TimedSocket(connection, deadline))
        code, words = server.getreply()
        if code == _READY and self._mode == "starttls":
            server.ehlo_or_helo_if_needed()
            if not server.has_extn("starttls"):
                raise smtplib.SMTPNotSupportedError("the mail server does not offer STARTTLS")
            code, words = server.docmd("STARTTLS")
            if code == _READY:  # what it has sent or offered before this counts no more (RFC 3207, 4.2)
                server.sock = cast(socket.socket, TimedSocket(secure(connection), deadline))
                server.file = None
                server.helo_resp = server.ehlo_resp = None
                server.esmtp_features, server.does_esmtp = {}, False
        if code != _READY:
            raise smtplib.SMTPResponseException(code, words)
        return server


def _check_address(_: Address) -> str:
    """Allow any address: whoever writes the configuration names the server."""
    return ""


def make_message(notice: Notice, sender: str, address: str, at_ms: int) -> EmailMessage:
    """Return the mail of a notice. Its Message-ID comes from the notice's id: who gets it twice sees it once.
    (RFC 5322)"""
    message = EmailMessage()
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    # Python decodes encoded words (RFC 2047) in what it is given: `=0D=0A` in one would end the line.
    subject = printable(f"lfr: {notice.rule}: {notice.text}").replace("=?", r"=\x3f")
    message["Subject"] = cut(subject, _MAX_SUBJECT)
    message["From"], message["To"] = sender, address
    message["Date"] = format_datetime(at)
    digest = hashlib.sha256(f"{notice.id} {address}".encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{digest}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers by machines
    lines = [
        f"{name}: {_text(value)}"
        for name, value in message_body(notice, at.isoformat(timespec="milliseconds")).items()
    ]
    message.set_content(notice.text + "\n\n" + "\n".join(lines) + "\n")
    return message


def _text(value: object) -> str:
    return printable(value) if isinstance(value, str) else encode_json(value)


def _reason(error: Exception, deadline: float) -> str:
    """Return what the server says, or why it says nothing. (RFC 5321, 4.2)"""
    import smtplib

    text: bytes | str
    if isinstance(error, TimeoutError) or time.monotonic() >= deadline:
        return f"the mail server has not taken it within {TIMEOUT_SECONDS:g} s"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
    elif isinstance(error, smtplib.SMTPResponseException):
        code, text = error.smtp_code, error.smtp_error
    elif isinstance(error, smtplib.SMTPException):
        return printable(str(error))[:_MAX_REASON]
    elif isinstance(error, binascii.Error):  # the challenge of a login (RFC 4954, 4)
        return f"the mail server sends what is no base64: {error}"
    else:
        kind = "TLS" if isinstance(error, ssl.SSLError) else "no connection"
        return f"{kind}: {error if kind == 'TLS' else getattr(error, 'strerror', None) or error}"
    words = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    return printable(f"the mail server answers {code} {' '.join(words.split())}")[:_MAX_REASON]
