"""Signatures of webhooks: the example of Standard Webhooks, and what is no key."""

from __future__ import annotations

import pytest

from lfr.notices.signature import SIGNING_KEY, signature_headers

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_example_of_the_specification() -> None:
    key = SIGNING_KEY.read(KEY)
    body = b'{"test": 2432232314}'
    headers = signature_headers([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    both = signature_headers(
        [key, b"another key of 24 bytes."], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body
    )
    assert both["webhook-signature"].startswith(headers["webhook-signature"] + " v1,")
    assert "webhook-signature" not in signature_headers([], "id", 1, body)


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", KEY.removeprefix("whsec_"), "whsec_ä"]
)
def test_what_is_no_key(text: str) -> None:
    assert SIGNING_KEY.read(text) is None
