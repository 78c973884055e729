"""The status board: what is put, what counts as a change, what expires, what is asked live."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.head.board import UNKNOWN, StatusBoard, StatusValue

VALUES = st.sampled_from([None, 0, 0.0, False, "", "0", 1, True, 1.5, "x"])


def test_a_value_is_known_from_the_first_put_on() -> None:
    """Unknown is None and not known; a null is known."""
    board = StatusBoard()
    assert (board.value("A", "x"), board.known("A", "x")) == (None, False)

    board.put("A", "x", None, 1.0)

    assert (board.value("A", "x"), board.known("A", "x")) == (None, True)


def test_an_unchanged_value_is_no_change() -> None:
    """The time stays that of the first put; 0, False and 0.0 differ."""
    board = StatusBoard()
    for at, value in enumerate([0, 0, False, 0.0, 0.0]):
        board.put("A", "x", value, float(at))

    assert board.changes() == [StatusValue("A", "x", 0.0, 3.0)]
    assert board.changes() == []


@given(st.lists(st.tuples(st.sampled_from("ab"), VALUES)))
def test_changes_tell_the_last_value_of_each_parameter(puts: list[tuple[str, object]]) -> None:
    """Whatever is put, the changes bring a reader to what the board holds."""
    board, seen = StatusBoard(), {}
    for at, (parameter, value) in enumerate(puts):
        board.put("A", parameter, value, float(at))
        if at % 3 == 0:
            seen |= {each.parameter: repr(each.value) for each in board.changes()}
    seen |= {each.parameter: repr(each.value) for each in board.changes()}

    assert seen == {parameter: repr(value) for parameter, value in puts}


def test_a_value_expires_to_none_and_stays_known() -> None:
    """What nobody measures any more is not decided by."""
    board = StatusBoard()
    board.put("N", "free", 7, 10.0, expires_at=40.0)
    board.expire(39.9)
    assert board.value("N", "free") == 7

    board.expire(40.0)

    assert (board.value("N", "free"), board.known("N", "free")) == (None, True)
    assert board.changes()[-1] == StatusValue("N", "free", None, 40.0)


def test_a_value_that_is_measured_again_lives_on() -> None:
    """It keeps its time, and is only told anew when half of its life is gone."""
    board = StatusBoard()
    board.put("N", "total", 7, 0.0, expires_at=30.0)
    board.changes()
    board.put("N", "total", 7, 5.0, expires_at=35.0)
    assert board.changes() == []

    board.put("N", "total", 7, 15.0, expires_at=45.0)

    assert board.changes() == [StatusValue("N", "total", 7, 0.0, 45.0)]
    board.expire(44.0)
    assert board.value("N", "total") == 7


def test_a_live_channel_answers_first_and_under_either_spelling() -> None:
    """A channel is asked each time; what it does not have is looked up; spaces are underscores."""
    board, counts = StatusBoard(), {"P.pending": 3}
    board.live("My flow", lambda parameter: counts.get(parameter, UNKNOWN))
    board.put("My_flow", "P.pending", 99, 0.0)
    board.put("My_flow", "other", 5, 0.0)
    assert board.value("My flow", "P.pending") == 3

    counts["P.pending"] = 2

    assert board.value("My_flow", "P.pending") == 2
    assert board.value("My flow", "other") == 5
    assert board.known("My flow", "P.pending")
    assert not board.known("My flow", "Q.pending")


def test_what_was_stored_already_is_no_change() -> None:
    """A value taken from a file is there, and not written again."""
    board = StatusBoard()
    board.put("A", "x", 1, 0.0)
    board.take(StatusValue("A", "x", 2, 1.0))

    assert board.value("A", "x") == 2
    assert board.changes() == []
