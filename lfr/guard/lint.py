"""What a guard says of every list, whatever is in it: a list has no members with names."""

from __future__ import annotations

from lfr.guard.ast import Compare, Constant, Filter, Join, Not, Path, Selector, Test


def verdict_on_lists(test: Test) -> bool | None:
    """The one answer that a guard's path, or a test of it, has for every list; None if it depends."""
    match test:
        case Path():
            return _leads_somewhere(test)
        case Constant(value):
            return bool(value)
        case Compare(_, left, right):
            leads_nowhere = any(isinstance(side, Path) and not _may_lead(side) for side in (left, right))
            return False if leads_nowhere else None
        case Not(inner):
            verdict = verdict_on_lists(inner)
            return None if verdict is None else not verdict
        case Join(needs_all, tests):
            verdicts = {verdict_on_lists(part) for part in tests}
            if (not needs_all) in verdicts:
                return not needs_all
            return None if None in verdicts else needs_all


def _may_lead(path: Path) -> bool:
    return _leads_somewhere(path) is not False


def _leads_somewhere(path: Path) -> bool | None:
    for segment in path.segments:
        if segment.descends:
            return None
        verdicts = {_selects(selector) for selector in segment.selectors}
        if verdicts != {True}:  # else it stays at the list itself
            return False if verdicts == {False} else None
    return True


def _selects(selector: Selector) -> bool | None:
    """True: the list itself is selected, by a filter that holds. False: nothing is. None: it depends."""
    if isinstance(selector, Filter):
        return verdict_on_lists(selector.test)
    return False if isinstance(selector, str) else None
