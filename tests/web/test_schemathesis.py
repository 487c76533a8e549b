"""Tests the API with schemathesis: random requests from its OpenAPI document get documented responses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from lfr.operations.start import start_workflow
from lfr.store.redis.connection import Store
from tests.web.serving import serving

EXAMPLES = int(os.environ.get("LFR_SCHEMATHESIS", "20"))
"""The number of requests for each operation."""

STREAMS = ("/live", "/workflows/{id}/live")
"""These responses do not end by themselves."""

EXCLUDED_CHECK = "positive_data_acceptance"
"""No JSON schema describes which texts are flows, so a request that fits its schema may be refused."""


PATH_VALUES = """[parameters]
"path.id" = "w"
"path.index" = 1
"path.name" = "l"
"""
"""Names of existing objects. Otherwise most responses would be 404."""


def test_every_answer_is_documented(redis_url: str, tmp_path: Path) -> None:
    report = run(redis_url, tmp_path, "")
    assert "Stateful" in report


def test_so_is_every_answer_about_what_is_there(redis_url: str, store: Store, tmp_path: Path) -> None:
    start_workflow(store, "a -> { b c } -> d", {"n": 1}, "w")
    report = run(
        redis_url, tmp_path, PATH_VALUES, "--phases", "coverage,fuzzing", "--exclude-method", "DELETE"
    )
    assert "Fuzzing" in report


def test_so_are_those_to_the_console_of_littleflow(redis_url: str, store: Store, tmp_path: Path) -> None:
    start_workflow(store, "a -> { b c } -> d", {"n": 1}, "w")
    arguments = ("--phases", "coverage,fuzzing", "--include-path-regex", "^/littleflow")
    configuration = PATH_VALUES + '"path.kind" = "S"\n'
    report = run(redis_url, tmp_path, configuration, *arguments, more={"LFR_API_LITTLEFLOW": "true"})
    assert "Fuzzing" in report


def run(
    redis_url: str, folder: Path, configuration: str, *arguments: str, more: Mapping[str, str] | None = None
) -> str:
    """Return the output of schemathesis. Fail the test if it finds an error."""
    (folder / "schemathesis.toml").write_text(configuration)
    settings = {"LFR_API_TOKEN": "sesame", "LFR_API_REQUIRE_TOKEN": "always", **(more or {})}
    with serving(redis_url, more=settings) as (_, port):
        command = [sys.executable, "-m", "schemathesis.cli", "run"]
        command += [f"http://127.0.0.1:{port}/openapi.json", "--header", "Authorization: Bearer sesame"]
        command += [word for path in STREAMS for word in ("--exclude-path", path)]
        command += ["--exclude-checks", EXCLUDED_CHECK, "--max-examples", str(EXAMPLES), "--seed", "1"]
        command += ["--continue-on-failure", "--no-color", "--generation-database", "none", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=folder, check=False)
    if done.returncode:
        pytest.fail(done.stdout[-9000:] + done.stderr[-1000:], pytrace=False)
    return done.stdout
