"""Texts that are shown in part, because they may have any length."""

from __future__ import annotations

import json

from lfr.values.json import Json


def cut(text: str, most: int) -> str:
    """Return a text of at most `most` characters; `…` is the last one if it is cut."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def cut_json(value: Json, most: int) -> str:
    """Return a value's JSON for people, cut as by `cut`."""
    return cut(json.dumps(value, ensure_ascii=False), most)
