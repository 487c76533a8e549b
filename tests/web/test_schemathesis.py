"""Requests without number, right and wrong, made of the API's own description: each answer is documented."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.web.serving import serving

EXAMPLES = int(os.environ.get("LFR_SCHEMATHESIS", "20"))
"""How many for each operation."""

STREAMS = ("/live", "/workflows/{id}/live")
"""They do not end by themselves."""

LEFT_OUT = "positive_data_acceptance"
"""No JSON schema can say which texts are flows, so what fits a schema may be refused all the same."""


def test_every_answer_is_documented(redis_url: str, tmp_path: object) -> None:
    with serving(redis_url, more={"LFR_API_TOKEN": "sesame"}) as (_, port):
        command = [sys.executable, "-m", "schemathesis.cli", "run"]
        command += [f"http://127.0.0.1:{port}/openapi.json", "--header", "Authorization: Bearer sesame"]
        command += [word for path in STREAMS for word in ("--exclude-path", path)]
        command += ["--exclude-checks", LEFT_OUT, "--max-examples", str(EXAMPLES), "--seed", "1"]
        command += ["--continue-on-failure", "--no-color", "--generation-database", "none"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=str(tmp_path))
    if told.returncode:
        pytest.fail(told.stdout[-5000:] + told.stderr[-1000:], pytrace=False)
    assert "Tested: " in told.stdout and "Stateful" in told.stdout
