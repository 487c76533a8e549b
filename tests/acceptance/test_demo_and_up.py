"""`lfr demo` and `lfr up`: they run everything, and leave no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.processes import built_file, environment, lfr
from tests.support.waiting import STALL_SECONDS, eventually


@contextmanager
def started(*words: str, more: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a command in the background and stop it at the end."""
    process = subprocess.Popen(
        [sys.executable, str(built_file()), *words],
        env=environment(None, more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Under nohup, and in some CI, children would ignore SIGHUP.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=STALL_SECONDS)


def descendants(pid: int) -> dict[int, str]:
    """Return the children of a process: command lines by process id. (proc(5))"""
    command_lines: dict[int, str] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                command_lines[int(path.name)] = (path / "cmdline").read_text().replace("\0", " ")
        except OSError:  # the process has just ended
            continue
    return command_lines


def five_children(pid: int) -> dict[int, str]:
    """Wait until a process has five children. Return their command lines by process id."""
    eventually(lambda: len(descendants(pid)) == 5)
    return descendants(pid)


def have_ended(pids: Mapping[int, str]) -> bool:
    return not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_the_demo_shows_a_finished_workflow_and_leaves_nothing(tmp_path: Path) -> None:
    hostile = {"TMPDIR": str(tmp_path), "REDIS_PASSWORD": "none", "REDIS_HOST": "nowhere.invalid"}
    done = lfr("demo", more=hostile)
    assert done.returncode == 0, done.stderr
    assert "  FINISHED" in done.stdout.splitlines()[0]
    assert "call-helper" in done.stdout
    assert "its guard said no" in done.stdout
    assert list(tmp_path.iterdir()) == []


def ports() -> list[str]:
    """Return options for free ports: other programs may use the usual ones."""
    return ["--api", "127.0.0.1:0", "--console", "127.0.0.1:0"]


def page(url: str) -> str:
    """Return the content of an address; empty while no server answers there."""
    try:
        with urlopen(url, timeout=STALL_SECONDS) as reply:
            return str(reply.read().decode())
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_demo_that_is_stopped_leaves_nothing(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with started("demo", more={"TMPDIR": str(tmp_path)}) as demo:
        children = five_children(demo.pid)
        demo.send_signal(number)
        _, err = demo.communicate(timeout=STALL_SECONDS)
    assert (demo.returncode, "Traceback" in err) == (code, False), err
    assert have_ended(children)
    assert list(tmp_path.iterdir()) == []


def test_a_demo_whose_role_dies_says_so(tmp_path: Path) -> None:
    with started("demo", more={"TMPDIR": str(tmp_path)}) as demo:
        children = five_children(demo.pid)
        assert demo.stderr is not None
        for line in demo.stderr:
            if "receive started" in line:
                break
        victim = next(pid for pid, words in children.items() if " lifecycle " in words)
        os.kill(victim, signal.SIGKILL)
        _, err = demo.communicate(timeout=STALL_SECONDS)
    assert demo.returncode == 69, err
    assert "the role lifecycle has died" in err
    assert have_ended(children)
    assert list(tmp_path.iterdir()) == []


def test_up_is_found_by_its_folder_and_by_its_line_and_keeps_its_data(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    (tmp_path / "a.flow").write_text("wait:delay (- duration: 0.01 -)")
    more = {"HOME": str(tmp_path)}
    with started("up", "--data", data, *ports(), more=more) as up:
        assert up.stdout is not None
        lines = [line.strip() for line in iter(up.stdout.readline, "\n") if line.strip()]
        console, api = (line.split()[-1] for line in lines if line.startswith("The "))
        url = next(line for line in up.stdout if "export LFR_REDIS_URL=" in line).strip().partition("=")[2]
        flow = str(tmp_path / "a.flow")
        assert lfr("run", flow, "--wait", "--workflow-id", "x", "--data", data).returncode == 0
        assert "workflow:x" in lfr("list", url=url).stdout
        assert "workflow:x" in eventually(lambda: page(api))
        assert "<title>lfr</title>" in eventually(lambda: page(console))
        assert "workflow:x" in page(f"{console}api/workflows")
        second = lfr("up", "--data", data, more=more)
        assert second.returncode == 69
        assert f"in use by process {up.pid}" in second.stderr
        children = descendants(up.pid)
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=STALL_SECONDS)
    assert up.returncode == 130
    assert have_ended(children)
    assert lfr("list", "--data", data).returncode == 75
    with started("up", "--data", data, *ports(), more=more) as again:
        assert again.stdout is not None
        next(line for line in again.stdout if "export" in line)
        assert "FINISHED" in lfr("list", "--data", data).stdout


def test_another_terminal_finds_up_with_nothing_set(tmp_path: Path) -> None:
    (tmp_path / "a.flow").write_text("A -> B")
    home = {"HOME": str(tmp_path), "XDG_STATE_HOME": "", "XDG_DATA_HOME": "", "LFR_CONFIG": "/dev/null"}
    flow = str(tmp_path / "a.flow")
    with started("up", "--simulate", *ports(), more=home) as up:
        assert up.stdout is not None
        lines = [next(up.stdout)]
        while "LFR_REDIS_URL" not in lines[-1]:
            lines.append(next(up.stdout))
        assert f"with its data in {tmp_path}/.local/share/lfr" in lines[0]
        assert f"  {built_file()} run FILE --wait\n" in lines  # the file is not on the PATH
        assert lfr("run", flow, "--wait", "--workflow-id", "x", more=home).returncode == 0
        assert "workflow:x" in lfr("list", more=home).stdout
        here = {**home, "LFR_DATA": str(tmp_path / ".local/share/lfr")}
        assert "workflow:x" in lfr("list", more=here).stdout
        assert "lfr up in" in lfr("config", more=home).stdout
        elsewhere = lfr("list", more={**home, "LFR_DATA": str(tmp_path)})
        assert (elsewhere.returncode, "no lfr up runs in" in elsewhere.stderr) == (75, True)
    assert not list((tmp_path / ".local/state/lfr/up").iterdir())


def test_the_port_of_up_is_a_fixed_one_unless_it_is_in_use(tmp_path: Path) -> None:
    """Two at once: at most one has the fixed port, and both run."""
    with (
        started("up", "--data", str(tmp_path / "a"), *ports(), more={"HOME": str(tmp_path)}) as one,
        started("up", "--data", str(tmp_path / "b"), *ports(), more={"HOME": str(tmp_path)}) as two,
    ):
        urls = []
        for up in (one, two):
            assert up.stdout is not None
            urls.append(next(line for line in up.stdout if "LFR_REDIS_URL" in line).strip().partition("=")[2])
        assert len(set(urls)) == 2
        assert all(lfr("list", url=url).returncode == 0 for url in urls)


@pytest.mark.parametrize("is_simulated", [False, True])
def test_up_simulates_only_if_it_is_asked_to(tmp_path: Path, is_simulated: bool) -> None:
    data = str(tmp_path / "data")
    (tmp_path / "a.flow").write_text("A -> B")
    more = {"HOME": str(tmp_path)}
    option = "--simulate" if is_simulated else "--no-simulate"  # an option of earlier versions
    with started("up", option, "--data", data, *ports(), more=more) as up:
        assert up.stdout is not None
        line = next(line for line in up.stdout if "no worker does" in line)
        assert ("wait for one (lfr tasks FILE.py), or for lfr up --simulate" in line) is not is_simulated
        done = lfr("run", str(tmp_path / "a.flow"), "--input", "{}", "--workflow-id", "x", "--data", data)
        assert done.returncode == 0
        inspected = "FINISHED" if is_simulated else "no live worker does A"
        eventually(lambda: inspected in lfr("inspect", "x", "--data", data, more=more).stdout)
        roles = {line.partition(" --data")[0].split()[-1] for line in descendants(up.pid).values()}
        assert ("simulate" in roles) is is_simulated


def test_up_starts_again_what_dies_and_says_so(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    (tmp_path / "a.flow").write_text("wait:delay (- duration: 0.01 -)")
    with started("up", "--data", data, *ports(), more={"HOME": str(tmp_path)}) as up:
        assert up.stdout is not None and up.stderr is not None
        next(line for line in up.stdout if "export" in line)
        before = descendants(up.pid)
        for words in (" lifecycle ", "valkey-server"):
            os.kill(next(pid for pid, line in before.items() if words in line), signal.SIGKILL)
        reports = [next(line for line in up.stderr if "starting it again" in line) for _ in range(2)]
        assert any("the role lifecycle was killed by signal 9" in line for line in reports)
        assert any("Valkey has died" in line for line in reports)
        codes: list[int] = []

        def has_run() -> bool:
            codes.append(lfr("run", str(tmp_path / "a.flow"), "--wait", "--data", data).returncode)
            return codes[-1] != 75

        eventually(has_run)
        assert codes[-1] == 0
        assert len(descendants(up.pid)) == len(before)
