"""Signatures, compared with the examples that Amazon publishes: "Examples: Signature Calculations in AWS
Signature Version 4"."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lfr.outbound.aws_signature import Credentials, signed_headers
from lfr.tasks.uri_policy import WebLocation

KEYS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NOW = datetime(2013, 5, 24, tzinfo=UTC)
BUCKET = WebLocation("https", "examplebucket.s3.amazonaws.com", 443, "/")


def sign(
    method: str, path: str, query: str = "", content: bytes = b"", keys: Credentials = KEYS, **headers: str
) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    location = replace(BUCKET, path=path, query=query)
    return signed_headers(keys, "us-east-1", method, location, named, content, NOW)


@pytest.mark.parametrize(
    ("headers", "names", "signature"),
    [
        (
            sign("GET", "/test.txt", Range="bytes=0-9"),
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            sign(
                "PUT",
                "/test%24file.text",
                content=b"Welcome to Amazon S3.",
                Date="Fri, 24 May 2013 00:00:00 GMT",
                x_amz_storage_class="REDUCED_REDUNDANCY",
            ),
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            sign("GET", "/", "lifecycle="),
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            sign("GET", "/", "max-keys=2&prefix=J"),
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_published_examples(headers: dict[str, str], names: str, signature: str) -> None:
    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    assert headers["X-Amz-Date"] == "20130524T000000Z"


def test_a_session_token_is_sent_and_signed() -> None:
    headers = sign("GET", "/a", keys=replace(KEYS, session_token="abc"))
    assert headers["X-Amz-Security-Token"] == "abc"
    assert "x-amz-date;x-amz-security-token," in headers["Authorization"]
