from __future__ import annotations

from lfr.runtime.speculation import Speculation


def occasions_until_advised(speculation: Speculation) -> int:
    return next(number for number in range(100) if speculation.is_advised())


def test_wrong_guesses_make_it_rare_and_a_right_one_makes_it_common() -> None:
    speculation = Speculation()
    pauses = []
    for _ in range(9):
        pauses.append(occasions_until_advised(speculation))
        speculation.note(was_right=False)
    assert pauses == [0, 1, 3, 7, 15, 31, 63, 63, 63]
    assert occasions_until_advised(speculation) == 63
    speculation.note(was_right=True)
    assert speculation.is_advised()
    assert speculation.is_advised()
