"""Each role gets the secrets that it needs, from systemd too, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from lfr.config.settings import all_settings
from lfr.host.install_plan import find_changed_units, load_unit_file
from lfr.host.role_credentials import NAME, drop_in_removals, drop_in_writes, holds_only_credentials
from lfr.runtime.role_table import ROLES


def loaded(text: str) -> set[str]:
    """Return the credentials that a unit loads; each may be missing."""
    pairs = [
        line.partition("=")[2].split(":", 1)
        for line in text.splitlines()
        if line.startswith("LoadCredential=")
    ]
    defaults = {
        line.removeprefix("SetCredential=") for line in text.splitlines() if line.startswith("SetCred")
    }
    assert all(path == f"/etc/lfr/credentials/{name}" for name, path in pairs)
    assert defaults == {rf"{name}:\n" for name, _ in pairs}
    return {name for name, _ in pairs}


def test_every_role_gets_the_secrets_that_all_need() -> None:
    names = loaded(load_unit_file("lfr@.service"))
    assert {each.name for each in all_settings() if each.secret and not each.roles} <= names
    assert not {each.name for each in all_settings() if each.roles} & names


@pytest.mark.parametrize("instance", [*(role.name for role in ROLES), "request.2", "api.3", "lifecycle.2"])
def test_a_role_gets_its_own_secrets_only(instance: str) -> None:
    texts = {write.target.parent.name: write.content.decode() for write in drop_in_writes([instance])}
    role = instance.partition(".")[0]
    expected = {each.name for each in all_settings() if role in each.roles}
    assert loaded(texts.get(f"lfr@{instance}.service.d", "")) == expected
    with_secrets = ("request", "worker", "api", "console", "notify", "traces", "lifecycle")
    assert bool(expected) == (role in with_secrets)


def test_drop_ins_are_removed_and_those_of_an_operator_stay(tmp_path: Path) -> None:
    for name in ("lfr@api.service.d", "lfr@request.service.d"):
        (tmp_path / name).mkdir()
        (tmp_path / name / NAME).touch()
    own = tmp_path / "lfr@request.service.d" / "override.conf"
    own.touch()
    assert not holds_only_credentials(own.parent)
    assert find_changed_units([tmp_path]) == [own.parent]
    for removal in drop_in_removals(tmp_path):
        removal.perform()
    assert list(tmp_path.rglob("*")) == [own.parent, own]
