"""The layers: imports point one way, and the pure rooms do no I/O."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import lfr

ROOT = Path(lfr.__file__).parent

LAYERS = (
    {"actor", "errors", "item_ids", "states", "trace_context"},
    {"values"},
    {"guard", "step_options", "flow_inputs", "labels", "notices", "schedules"},
    {"flow", "config.settings"},
    {"event_fields", "events", "task_log", "tasks"},
    {"language"},
    {"drawing", "engine"},
    {"store"},
    {"operations"},
    {"host", "outbound", "base_uri", "config"},
    {"runtime"},
    {"worker", "lifecycle", "notifier", "exporter"},
    {"roles", "web", "client", "local"},
    {"cli"},
    {"__init__", "__main__"},
)
"""From the inside out. A room imports from its own layer and from those before it."""

IMPURE = {
    "redis",
    "rqse",
    "urllib3",
    "os",
    "time",
    "socket",
    "random",
    "threading",
    "subprocess",
    "io",
    "pathlib",
    "signal",
}


@cache
def imports(path: Path) -> set[str]:
    """Return the modules that a file imports, also inside its functions."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
            modules.update(f"{node.module}.{alias.name}" for alias in node.names if node.module == "lfr")
    return modules


def room_of(module: str) -> str:
    """Return the longest name in LAYERS that a dotted module below `lfr` belongs to."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if any(name in layer for layer in LAYERS)), parts[0])


def room(path: Path) -> str:
    return room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))


def test_every_room_has_a_layer() -> None:
    rooms = {room(path) for path in ROOT.rglob("*.py")}
    assert rooms <= set().union(*LAYERS)


def test_imports_point_inwards() -> None:
    layer_of = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in ROOT.rglob("*.py")
        for module in imports(path)
        if module.startswith("lfr.") and layer_of.get(room_of(module[4:]), 0) > layer_of[room(path)]
    ]
    assert wrong == [ENTRY]


ENTRY = "host/zipapp_main.py imports lfr.__main__"
"""The start of the zipapp: it stands in `host` and becomes the file's `__main__`."""


def test_words_and_pure_rooms_do_no_io() -> None:
    pure = set().union(*LAYERS[:7])
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in ROOT.rglob("*.py")
        for module in imports(path)
        if room(path) in pure and module.split(".")[0] in IMPURE
    ]
    assert wrong == []


def test_redis_is_spoken_in_the_store_alone() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        for module in imports(path)
        if module.split(".")[0] == "redis" and room(path) != "store"
    ]
    assert wrong == []
