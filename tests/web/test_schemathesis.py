"""Requests without number, right and wrong, made of the API's own description: each answer is documented."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lfr.operations.start import start_workflow
from lfr.store.redis.connection import Store
from tests.web.serving import serving

EXAMPLES = int(os.environ.get("LFR_SCHEMATHESIS", "20"))
"""How many for each operation."""

STREAMS = ("/live", "/workflows/{id}/live")
"""They do not end by themselves."""

LEFT_OUT = "positive_data_acceptance"
"""No JSON schema can say which texts are flows, so what fits a schema may be refused all the same."""


KNOWN = """[parameters]
"path.id" = "w"
"path.index" = 1
"path.name" = "l"
"""
"""What is there. Else most answers would be that there is no such workflow."""


def test_every_answer_is_documented(redis_url: str, tmp_path: Path) -> None:
    told = run(redis_url, tmp_path, "")
    assert "Stateful" in told


def test_so_is_every_answer_about_what_is_there(redis_url: str, store: Store, tmp_path: Path) -> None:
    start_workflow(store, "a -> { b c } -> d", {"n": 1}, "w")
    told = run(redis_url, tmp_path, KNOWN, "--phases", "coverage,fuzzing", "--exclude-method", "DELETE")
    assert "Fuzzing" in told


def run(redis_url: str, folder: Path, configuration: str, *arguments: str) -> str:
    """What schemathesis tells of an API that it finds nothing wrong with."""
    (folder / "schemathesis.toml").write_text(configuration)
    with serving(redis_url, more={"LFR_API_TOKEN": "sesame"}) as (_, port):
        command = [sys.executable, "-m", "schemathesis.cli", "run"]
        command += [f"http://127.0.0.1:{port}/openapi.json", "--header", "Authorization: Bearer sesame"]
        command += [word for path in STREAMS for word in ("--exclude-path", path)]
        command += ["--exclude-checks", LEFT_OUT, "--max-examples", str(EXAMPLES), "--seed", "1"]
        command += ["--continue-on-failure", "--no-color", "--generation-database", "none", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=folder, check=False)
    if done.returncode:
        pytest.fail(done.stdout[-9000:] + done.stderr[-1000:], pytrace=False)
    return done.stdout
