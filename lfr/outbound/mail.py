"""Sends notices by mail: to the SMTP server of the settings, over TLS unless these say otherwise."""

from __future__ import annotations

import hashlib
import socket
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.notices.notice import Notice, message_body
from lfr.outbound.delivery_failed import DeliveryFailed
from lfr.values.checks import HOST, digits
from lfr.values.json import encode_json
from lfr.values.printable import printable

if TYPE_CHECKING:
    import smtplib

_TIMEOUT_SECONDS: Final = 15.0
"""How long each step of the exchange with the server takes, at most."""

_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_PORT: Final = digits(1, 65535)

_MAX_SUBJECT: Final = 150


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
        try:
            with self._connect() as server:
                if self._username:
                    server.login(self._username, self._password)
                server.send_message(message)
        except smtplib.SMTPException as error:
            raise DeliveryFailed(_reason(error)) from None
        except ssl.SSLError as error:
            raise DeliveryFailed(f"TLS: {error}") from None
        except OSError as error:
            raise DeliveryFailed(f"no connection: {error.strerror or error}") from None

    def _connect(self) -> smtplib.SMTP:
        import smtplib

        name, seconds = socket.gethostname(), _TIMEOUT_SECONDS
        if self._mode == "tls":
            return smtplib.SMTP_SSL(
                self._host, self._port, local_hostname=name, timeout=seconds, context=self._tls
            )
        server = smtplib.SMTP(self._host, self._port, local_hostname=name, timeout=seconds)
        if self._mode == "starttls":
            try:
                server.starttls(context=self._tls)
            except BaseException:
                server.close()
                raise
        return server


def make_message(notice: Notice, sender: str, address: str, at_ms: int) -> EmailMessage:
    """Return the mail of a notice. Its Message-ID comes from the notice's id: who gets it twice sees it once.
    (RFC 5322)"""
    message = EmailMessage()
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    subject = printable(f"lfr: {notice.rule}: {notice.text}")
    message["Subject"] = subject if len(subject) <= _MAX_SUBJECT else f"{subject[:_MAX_SUBJECT]}…"
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


def _reason(error: Exception) -> str:
    """Return what the server says. (RFC 5321, 4.2)"""
    import smtplib

    text: bytes | str
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
    elif isinstance(error, smtplib.SMTPResponseException):
        code, text = error.smtp_code, error.smtp_error
    else:
        return printable(str(error))
    words = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    return printable(f"the mail server answers {code} {' '.join(words.split())}")[:300]
