"""Logs for people and for the journal."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lfr.host.journal import is_journal, log_fields, set_up_logging


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def journal_of(path: Path) -> dict[str, str]:
    status = os.stat(path)
    return {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket in place of the journal's."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(str(tmp_path / "socket"))
        receiver.settimeout(5)
        yield receiver


def test_the_journal_gets_entries_with_fields(tmp_path: Path, journal: socket.socket) -> None:
    path = tmp_path / "stream"
    with path.open("w") as stream:
        set_up_logging("INFO", stream, journal_of(path), role="wait.2", journal=journal.getsockname())
        log = logging.getLogger("lfr.test")
        log.debug("not logged")
        log.info("a %d", 1)
        assert journal.recv(1000) == b"MESSAGE=a 1\nPRIORITY=6\nSYSLOG_IDENTIFIER=lfr\nLFR_ROLE=wait.2\n"
        log.error("b\nc", extra=log_fields("workflow:w", 4))
        assert journal.recv(1000) == (
            b"MESSAGE=b\\nc\nPRIORITY=3\nSYSLOG_IDENTIFIER=lfr\nLFR_ROLE=wait.2\n"
            b"LFR_WORKFLOW=workflow:w\nLFR_STEP=4\n"
        )
        log.warning("d" * 10_000_000)
    assert path.read_text() == "<4>" + "d" * 10_000_000 + "\n"


def test_without_the_journals_socket_each_line_has_its_priority_and_no_time(tmp_path: Path) -> None:
    path = tmp_path / "stream"
    with path.open("w") as stream:
        set_up_logging("DEBUG", stream, journal_of(path), journal=str(tmp_path / "none"))
        log = logging.getLogger("lfr.test")
        log.debug("a")
        log.info("b %d", 1)
        log.warning("c")
        log.error("d\ne")
    assert path.read_text() == "<7>a\n<6>b 1\n<4>c\n<3>d\\ne\n"


def test_elsewhere_lines_have_a_time_and_a_level(tmp_path: Path) -> None:
    path, other = tmp_path / "stream", tmp_path / "other"
    other.touch()
    with path.open("w") as stream:
        set_up_logging("INFO", stream, journal_of(other))
        logging.getLogger("lfr.test").debug("not logged")
        logging.getLogger("lfr.test").info("logged")
    assert path.read_text().endswith(" INFO logged\n")
    assert path.read_text().count("\n") == 1


HOSTILE = (
    "no\n2026-11-30 09:00:00 INFO all is well\r\x1b[2K\x1b]0;title\x07\x9b31m\u202eback\u2028<3>next\x85"
)


@pytest.mark.parametrize("is_for_journal", [False, True])
def test_a_text_from_outside_adds_no_line_and_controls_no_terminal(
    tmp_path: Path, is_for_journal: bool
) -> None:
    path, other = tmp_path / "stream", tmp_path / "other"
    other.touch()
    with path.open("w") as stream:
        environment = journal_of(path if is_for_journal else other)
        set_up_logging("INFO", stream, environment, journal=str(tmp_path / "none"))
        logging.getLogger("lfr.test").warning("a worker says: %s", HOSTILE)
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            logging.getLogger("mine").exception("it fails: %s", HOSTILE)
    text = path.read_bytes().decode()
    assert all(line.isprintable() for line in text.split("\n"))
    first, second, *traceback = text.removesuffix("\n").split("\n")
    assert "a worker says: no\\n2026-11-30" in first
    assert "it fails: no\\n2026" in second
    indented = "<3>  " if is_for_journal else "  "
    assert all(line.startswith(indented) for line in traceback)
    assert len(traceback) > 3


def test_another_stream_is_not_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        assert not is_journal(stream, {})
        assert not is_journal(stream, {"JOURNAL_STREAM": "1:2"})
    assert not is_journal(stream, {"JOURNAL_STREAM": "1:2"})
