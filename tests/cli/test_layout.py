"""The picture of a run fits every terminal and never jumps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import wcwidth
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.cli.layout import Line, allot, final_picture, lay_out, wanted_height
from cryocloud_core.head.view import BlockedView, NodeView, RunView, TaskView
from cryocloud_core.sdk.observed import LogRecord

SIZES = [(100, 29), (160, 44), (60, 14), (20, 5), (1, 1)]
names = st.text(st.characters(codec=None), max_size=40)
numbers = st.integers(0, 10**15)
nodes = st.builds(NodeView, names, names, names, numbers, numbers, numbers, numbers, numbers)
percents = st.none() | st.floats(-10, 500)
tasks = st.builds(TaskView, names, names, numbers, names, st.floats(0, 1e9), percents, names)
records = st.builds(LogRecord, st.floats(0, 4e9), names, names, pebble=numbers, node=names)
views = st.builds(
    RunView,
    st.lists(names, max_size=3).map(tuple),
    names,
    st.floats(0, 4e9),
    st.floats(0, 4e9),
    st.lists(nodes, max_size=12).map(tuple),
    st.lists(tasks, max_size=6).map(tuple),
    st.lists(st.builds(BlockedView, names, names, numbers, names), max_size=4).map(tuple),
    numbers,
    numbers,
    numbers,
    st.floats(0, 1e6),
    st.lists(records, max_size=8).map(tuple),
)


def widths(lines: list[Line]) -> list[int]:
    """Return the width of each line by a table of widths that the layout does not use."""
    texts = ["".join(text for text, _ in line) for line in lines]
    assert all(text.isprintable() for text in texts)
    return [sum(wcwidth.wcwidth(character) for character in text) for text in texts]


@given(views, st.integers(1, 180), st.integers(1, 60), st.integers(0, 20))
def test_no_line_is_too_wide_and_the_height_is_as_asked(view: RunView, width: int, height: int, slots: int) -> None:
    """Whatever the names: exactly `height` lines, none wider than the terminal."""
    lines = lay_out(view, width, height, slots)

    assert len(lines) == height
    assert max(widths(lines)) <= width
    assert max(widths(final_picture(view, width))) <= width


@given(views, views, st.integers(20, 180), st.integers(5, 60))
def test_sections_stay_where_they_are(one: RunView, other: RunView, width: int, height: int) -> None:
    """Two moments of one run have their headings on the same lines."""
    same_nodes = RunView(other.workflows, other.state, 1.0, 0.0, one.nodes, other.active, other.blocked, log=other.log)

    def headings(view: RunView) -> list[int]:
        lines = lay_out(view, width, height, 3)
        return [number for number, line in enumerate(lines) if line and line[0][0].startswith("── ")]

    assert headings(one) == headings(same_nodes)


@given(st.integers(1, 80), st.integers(0, 100), st.integers(0, 40))
def test_no_line_is_given_twice(height: int, nodes: int, slots: int) -> None:
    """The sections and their headings never need more than the height."""
    room = allot(height, nodes, slots)
    sections = [room.nodes, room.active, room.waiting, room.log]

    assert 1 + sum(lines + 1 for lines in sections if lines) <= height


def test_everything_fits_the_wanted_height(busy: RunView, text_of: Callable[[object], str]) -> None:
    """At the wanted height every node, task, wait and log line is there."""
    lines = lay_out(busy, 100, wanted_height(len(busy.nodes), 3, 40), 3)
    shown = "\n".join(map(text_of, lines))

    words = ("Watch", "Report", "18", "63%", "1:02:05", "Preparing files", "max_parallel 1 is reached", "no such band")
    assert [word for word in words if word not in shown] == []
    assert "…" not in shown.replace("no such band: VX …", "")


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", ["busy", "hostile"])
def test_screens(
    name: str, size: tuple[int, int], request: pytest.FixtureRequest, snapshot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pictures at common sizes are those that a person has looked at."""
    monkeypatch.setenv("TZ", "UTC")
    __import__("time").tzset()
    width, height = size
    lines = lay_out(request.getfixturevalue(name), width, height, 4)

    assert "\n".join("".join(text for text, _ in line).rstrip() for line in lines) == snapshot


def test_nodes_that_do_something_are_shown_first(text_of: Callable[[object], str]) -> None:
    """With more nodes than lines the busy and the failed ones stay, in document order, and the rest is counted."""
    quiet = [NodeView("w", f"quiet{number}", "noop", completed=1) for number in range(20)]
    nodes = (*quiet, NodeView("w", "broken", "noop", failed=1), NodeView("w", "busy", "noop", processing=1))
    shown = [text_of(line) for line in lay_out(RunView(("w",), "running", 0, 0, nodes), 80, 14, 2)]

    assert shown[1].startswith("node: 4 of 22 ")
    assert [line.split()[0] for line in shown[2:6]] == ["quiet0", "quiet1", "broken", "busy"]


def test_a_run_that_waits_for_its_tasks_tells_how_to_wait_no_longer(
    busy: RunView, text_of: Callable[[object], str]
) -> None:
    """As long as a task runs, and where there is room for it."""
    ending = attrs.evolve(busy, state="suspending")
    title = "suspending, Ctrl-C again ends at once"

    assert title in text_of(lay_out(ending, 100, 29, 3)[0])
    assert title not in text_of(lay_out(ending, 60, 29, 3)[0])
    assert title not in text_of(lay_out(attrs.evolve(ending, active=()), 100, 29, 3)[0])


def test_the_same_name_in_two_workflows_is_told_apart(text_of: Callable[[object], str]) -> None:
    """With several workflows each node says whose it is."""
    nodes = (NodeView("day", "Wind", "wind"), NodeView("night", "Wind", "wind"))
    shown = [text_of(line) for line in lay_out(RunView(("day", "night"), "running", 0, 0, nodes), 100, 20, 2)]

    assert shown[2].startswith("day: Wind ")
    assert shown[3].startswith("night: Wind ")


def test_every_reason_to_wait_is_shown_where_there_is_room(busy: RunView, text_of: Callable[[object], str]) -> None:
    """The third one may be the one that nobody will ever serve."""
    reasons = tuple(BlockedView("w", f"N{number}", 1, f"reason {number}") for number in range(3))
    view = attrs.evolve(
        busy, nodes=tuple(attrs.evolve(busy.nodes[0], name=f"N{number}") for number in range(5)), blocked=reasons
    )
    shown = [text_of(line) for line in lay_out(view, 100, wanted_height(5, 4, 29), 4)]

    assert all(any(f"reason {number}" in line for line in shown) for number in range(3))
