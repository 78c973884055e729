"""Spans of bytes: they behave as the set of positions they stand for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.files.spans import Spans, pieces

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted), max_size=12)


@given(SPANS, st.integers(0, 50))
def test_spans_are_the_set_of_their_positions(added: list[list[int]], size: int) -> None:
    """Adding tells how many are new; total, frontier, end and what is missing follow from the set."""
    spans, model = Spans(), set[int]()
    for start, stop in added:
        fresh = set(range(start, stop)) - model
        assert spans.add(start, stop) == len(fresh)
        model |= fresh

    assert spans.total == len(model)
    assert spans.end == max(model, default=-1) + 1
    assert {at for start, stop in spans for at in range(start, stop)} == model
    assert {at for start, stop in spans.missing(size) for at in range(start, stop)} == set(range(size)) - model
    assert spans.frontier == next(at for at in range(60) if at not in model)


@given(SPANS)
def test_spans_stay_sorted_and_apart(added: list[list[int]]) -> None:
    """Between two spans there is a gap, and none is empty, so equal sets have one form, also after JSON."""
    spans = Spans()
    for start, stop in added:
        spans.add(start, stop)
    ends = [end for span in spans for end in span]

    assert ends == sorted(set(ends))
    assert Spans.read([list(span) for span in spans]) == spans


@given(SPANS, st.integers(1, 9))
def test_pieces_cover_exactly_what_is_cut(added: list[list[int]], length: int) -> None:
    """Pieces are in order, none longer than asked for, and together what was cut."""
    spans = Spans()
    for start, stop in added:
        spans.add(start, stop)
    cut = pieces(spans, length)

    assert [at for start, stop in cut for at in range(start, stop)] == [at for a, b in spans for at in range(a, b)]
    assert all(0 < stop - start <= length for start, stop in cut)


def test_what_is_no_spans_reads_as_none() -> None:
    """A damaged sidecar is told from a good one."""
    damaged = [None, {}, [1], [[1]], [[2, 1]], [[1, 1]], [[-1, 2]], [["0", 2]], [[0, 1.5]], [[True, 2]]]

    assert [Spans.read(data) for data in damaged] == [None] * len(damaged)
