"""The picture of a run as lines of styled text: pure, from a RunView and the size of the terminal.

Laws: exactly as many lines as asked for and no line wider than the terminal, whatever the names are; the same
size and the same nodes always give each section the same lines, so nothing jumps; what does not fit is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from cryocloud_core.cli.lines import of_those
from cryocloud_core.cli.text import cells, count, cut, duration, first_line, fit, plain, rate
from cryocloud_core.head.view import BlockedView, NodeView, RunView, TaskView
from cryocloud_core.sdk.observed import LogRecord

#: One piece of a line and its style in rich's words.
Span = tuple[str, str]
Line = tuple[Span, ...]

LEVEL_STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}
NAME_WITH_MODULE = 40
NAME_AT_LEAST = 12
BAR_AT_MOST = 30
#: a terminal this wide tells, while a run waits for its tasks, how to wait no longer
HINT_WIDTH = 70


@frozen
class Room:
    """How many lines each section has; a heading comes on top for each section that has any."""

    nodes: int = 0
    active: int = 0
    waiting: int = 0
    log: int = 0


def allot(height: int, nodes: int, slots: int) -> Room:
    """Share `height` lines (the title takes one) among the sections, the most telling first."""
    wanted = {"nodes": max(nodes, 1), "active": max(slots, 1), "waiting": _waiting(nodes), "log": 6}
    least = {"nodes": min(wanted["nodes"], 3), "active": min(wanted["active"], 2), "waiting": 1, "log": 2}
    room = dict.fromkeys(wanted, 0)
    left = height - 1
    for name, lines in least.items():
        if left >= lines + 1:
            room[name] = lines
            left -= lines + 1
    for name, lines in wanted.items():
        if room[name]:
            more = min(left, lines - room[name])
            room[name] += more
            left -= more
    return Room(**room)


def wanted_height(nodes: int, slots: int, at_most: int) -> int:
    """Return the height at which everything is shown, or the most there is."""
    return max(1, min(at_most, 1 + (1 + max(nodes, 1)) + (1 + max(slots, 1)) + (1 + _waiting(nodes)) + 7))


def _waiting(nodes: int) -> int:
    """Return the lines for what waits: one a node, within reason, for the hidden one may be the one nobody serves."""
    return min(max(nodes - 1, 2), 6)


def lay_out(view: RunView, width: int, height: int, slots: int) -> list[Line]:
    """Return the run as exactly `height` lines of at most `width` cells; `slots` is the number of workers."""
    room = allot(height, len(view.nodes), slots)
    lines = [title(view, width)]
    if room.nodes:
        lines += node_table(view.nodes, width, room.nodes)
    if room.active:
        lines += _section("active", [task_line(task, view.at, width) for task in view.active], room.active, width)
    if room.waiting:
        lines += _section("waiting", [blocked_line(blocked, width) for blocked in view.blocked], room.waiting, width)
    if room.log:
        lines.append(heading("log", width))
        lines += [log_line(record, width) for record in view.log[-room.log :]]
    return [*lines, *[()] * (height - len(lines))][:height]


def final_picture(view: RunView, width: int) -> list[Line]:
    """Return what stays on the terminal after the run: the title and every node."""
    return [title(view, width), *node_table(view.nodes, width, max(1, len(view.nodes)))]


def _clip(spans: Sequence[Span], width: int) -> Line:
    """Cut a line at the terminal's edge, with an ellipsis."""
    left = width
    kept: list[Span] = []
    for position, (text, style) in enumerate(spans):
        rest = any(more for more, _ in spans[position + 1 :])
        if cells(text) > left or (cells(text) == left and rest):
            shown = text if cells(text) > left else f"{text} "
            kept.append((cut(shown, left), style))
            break
        kept.append((text, style))
        left -= cells(text)
    return tuple(kept)


def heading(name: str, width: int) -> Line:
    """Return the line that opens a section."""
    return _clip([(f"── {name} ".ljust(width, "─"), "dim")], width)


def title(view: RunView, width: int) -> Line:
    """Return the first line: what runs, in which state, since when, how much and how fast."""
    name = plain(", ".join(view.workflows)) or "no workflow"
    facts = [
        duration(view.at - view.started_at),
        f"{count(view.pebbles_open)} open, {count(view.pebbles_done)} done{of_those(view)}",
        rate(view.tasks_per_s),
    ]
    state = plain(view.state)
    if state == "suspending" and view.active and width >= HINT_WIDTH:
        state += ", Ctrl-C again ends at once"
    state_style = "yellow" if view.state != "running" else "green"
    while facts and cells(name) + cells(state) + sum(3 + cells(fact) for fact in facts) + 3 > width and len(facts) > 1:
        facts.pop()
    name_room = max(8, width - cells(state) - sum(3 + cells(fact) for fact in facts) - 3)
    spans: list[Span] = [(cut(name, name_room), "bold"), (" · ", "dim"), (state, state_style)]
    for fact in facts:
        spans += [(" · ", "dim"), (fact, "")]
    return _clip(spans, width)


#: Heading, attribute, style when it is not zero; in the order in which a narrow terminal gives them up from the right.
_COLUMNS = (
    ("pending", "pending", ""),
    ("active", "processing", "cyan"),
    ("done", "completed", "green"),
    ("failed", "failed", "bold red"),
    ("skipped", "skipped", "yellow"),
)
_COLUMN = 9


def node_table(nodes: Sequence[NodeView], width: int, room: int) -> list[Line]:
    """Return the heading and at most `room` lines of nodes; those that do something come first when not all fit."""
    columns = list(_COLUMNS)
    while columns and width - _COLUMN * len(columns) < NAME_AT_LEAST:
        columns.pop()
    names = _names_width(nodes, width - _COLUMN * len(columns))
    several = len({node.workflow for node in nodes}) > 1
    shown = _choose(nodes, room)
    label = "node" if len(shown) == len(nodes) else f"node: {len(shown)} of {len(nodes)}"
    head = [(fit(label, names), "bold"), *((fit(word, _COLUMN, right=True), "bold") for word, _, _ in columns)]
    lines = [_clip(head, width)]
    for node in shown:
        spans = _node_name(node, names, several=several)
        for _, attribute, style in columns:
            number = getattr(node, attribute)
            spans.append((fit(count(number), _COLUMN, right=True), style if number else "dim"))
        lines.append(_clip(spans, width))
    return lines


def _names_width(nodes: Sequence[NodeView], at_most: int) -> int:
    """Return the width of the names: no more than the longest needs, so that the counts stand near."""
    longest = max((cells(plain(node.workflow + node.name + node.module)) for node in nodes), default=0)
    return max(1, min(at_most, max(longest + 8, 46)))


def _node_name(node: NodeView, room: int, *, several: bool) -> list[Span]:
    name = plain(f"{node.workflow}: {node.name}" if several else node.name)
    if room < NAME_WITH_MODULE or node.module == node.name:
        return [(fit(name, room), "")]
    for_name = min(room * 2 // 3, max(cells(name), 24))
    return [(fit(name, for_name), ""), (fit(f"  {plain(node.module)}", room - for_name), "dim")]


def _choose(nodes: Sequence[NodeView], room: int) -> list[NodeView]:
    """Return the nodes to show, in document order."""
    if len(nodes) <= room:
        return list(nodes)

    def weight(index: int) -> tuple[bool, bool, bool, int]:
        node = nodes[index]
        return (not node.processing, not node.failed, not node.pending, index)

    chosen = sorted(sorted(range(len(nodes)), key=weight)[:room])
    return [nodes[index] for index in chosen]


def _section(name: str, lines: Sequence[Line], room: int, width: int) -> list[Line]:
    """Return a heading and exactly `room` lines; the heading counts what is not shown."""
    label = name if len(lines) <= room else f"{name}: {room} of {len(lines)}"
    return [heading(label, width), *lines[:room], *[()] * (room - len(lines))]


def task_line(task: TaskView, at: float, width: int) -> Line:
    """Return one active task: node, pebble, bar, percent, time, and its worker where there is room."""
    elapsed = f" {fit(duration(at - task.began_at), 8, right=True)}"
    known = task.progress is not None
    percent = min(100.0, max(0.0, task.progress or 0.0))
    number = f" {percent:3.0f}%" if known else "    ·"
    left = width - cells(elapsed) - cells(number)
    name = fit(plain(task.node), max(8, min(24, left // 3)))
    pebble = f" {fit(plain(task.task.split('/', 1)[0]), 8)} "
    left -= cells(name) + cells(pebble)
    extra = _task_extra(task, left - BAR_AT_MOST)
    bar = list(_bar(percent, max(0, min(BAR_AT_MOST, left)), known=known))
    return _clip([(name, "cyan"), (pebble, ""), *bar, (number, ""), (elapsed, ""), *extra], width)


def _task_extra(task: TaskView, room: int) -> Iterator[Span]:
    """Yield the state (unless it is the usual one) and the worker, when there is room for something readable."""
    state = "" if task.state == "Processing" else plain(task.state)
    both = ", ".join(part for part in (state, plain(task.worker)) if part)
    if room >= 12:
        yield f"  {cut(both if cells(both) <= room - 2 else state or both, room - 2)}", "dim"


def _bar(percent: float, room: int, *, known: bool) -> Iterator[Span]:
    full = int(room * percent / 100)
    if full:
        yield "━" * full, "green"
    if room > full:
        yield ("─" if known else " ") * (room - full), "dim"


def blocked_line(blocked: BlockedView, width: int) -> Line:
    """Return what waits for something other than a worker, and why."""
    tasks = f"{count(blocked.count)} task{'s' if blocked.count != 1 else ''}"
    front = [(cut(plain(blocked.node), max(8, width // 3)), "yellow"), (f"  {tasks}: ", "")]
    return _clip([*front, (plain(blocked.why), "")], width)


def log_line(record: LogRecord, width: int) -> Line:
    """Return one log record: time, level, where it comes from, the first line of its text."""
    from time import localtime, strftime

    clock = strftime("%H:%M:%S", localtime(record.at))
    where = " ".join(part for part in (str(record.pebble or ""), plain(record.node)) if part)
    style = LEVEL_STYLES.get(record.level, "")
    spans = [(f"{clock} ", "dim"), (f"{fit(plain(record.level), 8)} ", style or "dim")]
    if where:
        spans.append((f"{cut(where, max(8, width // 4))}: ", "cyan"))
    return _clip([*spans, (first_line(record.text), style)], width)
