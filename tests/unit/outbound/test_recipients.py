"""Recipients of notices: webhooks, mail, commands; and what the settings may say about them."""

from __future__ import annotations

import ssl
import subprocess
from email import message_from_string
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.notices.notice import Notice, make_notice
from lfr.notices.rules import Rule, Trigger
from lfr.notices.signature import SIGNING_KEY, signature_headers
from lfr.outbound import mail, program, timed_socket
from lfr.outbound.delivery_failed import DeliveryFailed
from lfr.outbound.recipients import Recipients
from tests.support.receivers import endless_server, mail_server, webhook_server
from tests.support.waiting import STALL_SECONDS

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MAIL = {"notify_mail_from": "lfr@example.com", "notify_mail_tls": "none"}


def rule(*recipients: str) -> Rule:
    return Rule("failures", frozenset({Trigger.FAILED}), recipients)


def notice(text: str = "it has failed") -> Notice:
    facts = {"workflow": "workflow:a", "reason": "no\ndisk"}
    return make_notice(
        rule(), Trigger.FAILED, "1-0", at_ms=1_796_047_712_474, topic="", text=text, facts=facts
    )


def recipients(*names: str, **settings: Any) -> Recipients:
    return Recipients(Settings(**settings), [rule(*names)])


def test_a_webhook_gets_a_signed_body() -> None:
    with webhook_server() as server:
        webhooks = {"chat": f"{server.url}/hook?token=x"}
        receivers = recipients(
            "webhook:chat", notify_webhooks=webhooks, notify_signing_keys={"chat": KEY, "chat.new": KEY}
        )
        receivers.deliver("webhook:chat", notice())
        [(path, headers, body)] = server.requests
        raw = body.pop("_raw")
        assert path == "/hook?token=x"
        assert body == {
            "id": notice().id,
            "rule": "failures",
            "when": "failed",
            "at": "2026-11-30T14:08:32.474+00:00",
            "text": "it has failed",
            "test": False,
            "more": 0,
            "workflow": "workflow:a",
            "reason": "no\ndisk",
        }
        timestamp = int(headers["webhook-timestamp"])
        expected = signature_headers([SIGNING_KEY.read(KEY)] * 2, notice().id, timestamp, raw)
        assert expected.items() <= headers.items()
        for code, message in ((500, "500 Internal Server Error: word"), (302, "no redirect is followed")):
            server.answers = [code]
            with pytest.raises(DeliveryFailed, match=message):
                receivers.deliver("webhook:chat", notice())


def test_a_name_may_lead_to_a_private_address_only_if_the_settings_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look_up = timed_socket._call_getaddrinfo
    monkeypatch.setattr(
        timed_socket,
        "_call_getaddrinfo",
        lambda host, port, flags: look_up("127.0.0.1" if host == "chat.example" else host, port, flags),
    )
    with webhook_server() as server:
        settings: dict[str, Any] = {
            "notify_webhooks": {"chat": server.url.replace("127.0.0.1", "chat.example") + "/hook"}
        }
        with pytest.raises(DeliveryFailed, match=r"is loopback; .* `notify.allow: \["):
            recipients("webhook:chat", **settings).deliver("webhook:chat", notice())
        assert server.requests == []
        settings["notify_allow"] = ("127.0.0.0/8",)
        recipients("webhook:chat", **settings).deliver("webhook:chat", notice())
        assert len(server.bodies()) == 1


def test_a_mail_has_the_notice_in_words_and_one_id() -> None:
    with mail_server() as sink:
        receivers = recipients("mail:ops@example.com", notify_mail_server=f"127.0.0.1:{sink.port}", **MAIL)
        for _ in range(2):
            receivers.deliver("mail:ops@example.com", notice("it has\r\nBcc: all@example.com failed"))
        first, second = (message_from_string(text, policy=default) for text in sink.mails)
        assert "RCPT TO:<ops@example.com>" in sink.lines
        assert first["Subject"] == "lfr: failures: it has\\r\\nBcc: all@example.com failed"
        assert first["To"] == "ops@example.com"
        assert first["Bcc"] is None
        assert first["Message-ID"] == second["Message-ID"]
        text = first.get_content().replace("\r\n", "\n")
        assert text.startswith("it has")
        assert "reason: no\\ndisk\n" in text


@pytest.mark.parametrize("word", ["=?utf-8?q?x=0D=0ABcc:_b=40b.example?=", "=?utf-8?b?eA0KDQo8aDE+?="])
@pytest.mark.parametrize("before", ["", "it has ", "é " * 60, "word="])
def test_no_encoded_word_in_a_reason_adds_a_line_to_the_head_of_a_mail(word: str, before: str) -> None:
    """Control characters are escaped; those that a reason has encoded as a mail does were decoded."""
    with mail_server() as sink:
        receivers = recipients("mail:ops@example.com", notify_mail_server=f"127.0.0.1:{sink.port}", **MAIL)
        receivers.deliver("mail:ops@example.com", notice(f"{before}{word} failed"))
    head = sink.mails[0].replace("\r\n", "\n").partition("\n\n")[0]
    names = [line.partition(":")[0] for line in head.split("\n") if not line.startswith(" ")]
    assert names[:6] == ["Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted"]
    assert names[6:] == ["Content-Type", "Content-Transfer-Encoding", "MIME-Version"]
    subject = message_from_string(sink.mails[0], policy=default)["Subject"]
    assert subject.startswith(f"lfr: failures: {before}"[:80])


def test_a_mail_server_that_refuses_says_why() -> None:
    with mail_server(refuses="RCPT") as sink:
        settings = {"notify_mail_server": f"127.0.0.1:{sink.port}", **MAIL}
        with pytest.raises(DeliveryFailed, match="the mail server answers 550 not here"):
            recipients("mail:a@b.example", **settings).deliver("mail:a@b.example", notice())
        settings |= {"notify_mail_tls": "starttls", "notify_mail_password": "secret"}
        with pytest.raises(DeliveryFailed, match="STARTTLS"):
            recipients("mail:a@b.example", **settings).deliver("mail:a@b.example", notice())
    assert not any(line.startswith("AUTH") for line in sink.lines)
    with pytest.raises(DeliveryFailed, match="no connection: Connection refused"):
        recipients("mail:a@b.example", **settings).deliver("mail:a@b.example", notice())


@pytest.mark.parametrize(
    ("piece", "pause", "message"),
    [
        (b"220-wait\r\n", 0.05, "has not taken it within 0.3 s"),
        (b"2", 0.05, "has not taken it within 0.3 s"),
        (b"220-more\r\n" * 10_000, 0.0, "more than 1048576 bytes"),
    ],
)
def test_a_mail_server_that_never_comes_to_an_end_is_left(
    piece: bytes, pause: float, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer is in time, or one of many: a delivery would last for ever."""
    monkeypatch.setattr(mail, "TIMEOUT_SECONDS", 0.3 if pause else STALL_SECONDS)
    with endless_server(piece, pause) as port:
        receivers = recipients("mail:a@b.example", notify_mail_server=f"127.0.0.1:{port}", **MAIL)
        with pytest.raises(DeliveryFailed, match=message):
            receivers.deliver("mail:a@b.example", notice())


def test_a_mail_that_was_taken_is_not_sent_again() -> None:
    with mail_server(refuses="QUIT") as sink:
        receivers = recipients("mail:a@b.example", notify_mail_server=f"127.0.0.1:{sink.port}", **MAIL)
        receivers.deliver("mail:a@b.example", notice())
        assert len(sink.mails) == 1


def test_the_password_goes_over_tls_to_a_server_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = tmp_path / "server.pem"
    files = ["-keyout", str(certificate), "-out", str(tmp_path / "cert.pem")]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *files, *names]
    subprocess.run(command, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", certificate)
    settings = {
        "notify_mail_from": "lfr@example.com",
        "notify_mail_username": "u",
        "notify_mail_password": "secret",
    }
    with mail_server(tls=tls) as sink:
        settings["notify_mail_server"] = f"localhost:{sink.port}"
        with pytest.raises(DeliveryFailed, match="TLS: "):
            recipients("mail:a@b.example", **settings).deliver("mail:a@b.example", notice())
        assert not any(line.startswith("AUTH") for line in sink.lines)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        recipients("mail:a@b.example", **settings).deliver("mail:a@b.example", notice())
        assert len(sink.mails) == 1
        assert any(line.startswith("AUTH PLAIN") for line in sink.lines)
    with mail_server(tls=tls, login="334 a") as sink:
        settings["notify_mail_server"] = f"localhost:{sink.port}"
        with pytest.raises(DeliveryFailed, match="the mail server sends what is no base64"):
            recipients("mail:a@b.example", **settings).deliver("mail:a@b.example", notice())


def script(folder: Path, text: str) -> dict[str, str]:
    file = folder / "page"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return {"page": f"{file} 'one word' $HOME"}


def test_a_command_gets_json_and_a_bare_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LFR_NOTIFY_MAIL_PASSWORD", "secret")
    lines = script(
        tmp_path, f'cat > {tmp_path}/in; env > {tmp_path}/env; echo "$1|$2|$PWD" > {tmp_path}/words'
    )
    recipients("command:page", notify_commands=lines).deliver("command:page", notice())
    assert '"reason":"no\\ndisk"' in (tmp_path / "in").read_text()
    assert (tmp_path / "words").read_text() == "one word|$HOME|/\n"
    environment = (tmp_path / "env").read_text()
    assert f"LFR_NOTICE_ID={notice().id}\n" in environment
    assert "secret" not in environment


def test_a_command_that_fails_or_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = recipients("command:page", notify_commands=script(tmp_path, "echo no line >&2; exit 3"))
    with pytest.raises(DeliveryFailed, match="exit code 3: no line"):
        failing.deliver("command:page", notice())
    monkeypatch.setattr(program, "TIMEOUT_SECONDS", 0.2)
    hanging = recipients("command:page", notify_commands=script(tmp_path, "sleep 1000 & wait"))
    with pytest.raises(DeliveryFailed, match="was killed"):
        hanging.deliver("command:page", notice())


@pytest.mark.parametrize(
    ("to", "settings", "message"),
    [
        ("webhook:chat", {}, "notify.rules: the rule failures: notify.webhooks has no chat"),
        ("command:pge", {"notify_commands": {"page": "/bin/true"}}, "did you mean page"),
        ("command:page", {"notify_commands": {"page": "page"}}, "absolute path"),
        ("command:page", {"notify_commands": {"page": "/nowhere/page"}}, "no program that this user may run"),
        ("webhook:chat", {"notify_webhooks": {"chat": "ftp://token@host"}}, "chat: it is no URL with http"),
        ("mail:a@b.example", {}, "notify.mail_server, notify.mail_from: rules that send mail need both"),
        (
            "mail:a@b.example",
            {"notify_mail_server": "h", "notify_mail_password": "x", **MAIL},
            "would travel in clear",
        ),
        ("mail:a@b.example", {"notify_mail_server": "h:x", **MAIL}, "HOST or HOST:PORT"),
        ("mail:a@b.example", {"notify_allow": ("https://x/",)}, "is a URL, but here stand addresses"),
        ("mail:a@b.example", {"notify_signing_keys": {"chat": KEY}}, "no webhook with this name"),
    ],
)
def test_settings_that_cannot_work(to: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BadSettings, match=message) as caught:
        recipients(to, **settings)
    assert "token" not in str(caught.value)
