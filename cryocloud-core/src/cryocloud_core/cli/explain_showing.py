"""What `cryocloud explain` prints: a pebble's story as indented lines, or as one JSON object.

Laws: every text is made plain, every value without its URLs' secrets and cut before it is printed; on a terminal long
lines go on under themselves, in a pipe they are whole; without a head the story is the same, only nobody says where
tasks are.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from cryocloud_core.cli.listing import IN_A_PIPE
from cryocloud_core.cli.log_showing import wrapped
from cryocloud_core.cli.moments import day_and_clock
from cryocloud_core.cli.one_run import ids_and_run, part_in
from cryocloud_core.cli.text import cells, cut, duration, first_line, fit, plain
from cryocloud_core.engine.explain import ITS_TASK, AttemptTold, PartsTold, RunTold, WaitTold, tasks_of
from cryocloud_core.errors import CryoCloudError, UsageError
from cryocloud_core.head.asking import ask
from cryocloud_core.head.retelling import Story, retell
from cryocloud_core.url_secrets import covered, covered_data
from cryocloud_core.wire import to_data

#: cells to which an argument's name and its value are filled up, so that what follows stands in columns
NAME_CELLS: Final = 16
VALUE_COLUMN: Final = 30
#: a longer value is cut; the path of a product fits, and a product's name alone may have 70
VALUE_CELLS: Final = 240
#: lines of an error that are told
ERROR_LINES: Final = 5
_GONE: Final = "no head runs: the next start goes on with it"


@frozen
class Live:
    """What a running head says: `runs` is False when none does; `where` open tasks are."""

    runs: bool = False
    where: Mapping[str, str] = {}
    now: float = 0.0


def show_story(flags: Mapping[str, Any]) -> int:
    """Print the story and return the exit code. Raises UsageError, PebbleNotFound, StateError, DocumentError."""
    ids, run = ids_and_run(flags["words"], flags["state_dir"])
    if len(ids) != 1:
        raise UsageError("name one pebble by its number", remedy="cryocloud pebbles lists them")
    story = retell(run.directory, ids[0], part_in(flags["words"]))
    live = _live(run.directory, story) if story.state in ("open", "owing") else Live(now=time.time())
    if flags["json"]:
        data = {"head": live.runs, "where": dict(live.where), **_whole(story)}
        print(json.dumps(data))
        return 0
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else IN_A_PIPE
    for line in lines_of(story, live):
        indent = line[: len(line) - len(line.lstrip())]
        print("\n".join(wrapped(indent, [line.lstrip()], width)))
    return 0


def _whole(story: Story) -> dict[str, Any]:
    data: dict[str, Any] = to_data(story)
    return data


def _live(directory: Any, story: Story) -> Live:
    try:
        answer = ask(directory, "explain", pebble=story.told.pebble, tasks=list(tasks_of(story.told)))
    except CryoCloudError as error:
        print(plain(f"where its tasks are is not known: {error}"), file=sys.stderr)
        return Live(True, {}, time.time())
    return Live(answer is not None, covered_data((answer or {}).get("where", {})), time.time())


def lines_of(story: Story, live: Live) -> Iterator[str]:
    """Yield the story as plain lines; what belongs to a line above is indented further."""
    yield from _front(story, live)
    for run in story.told.nodes:
        yield ""
        birth = _birth(story) if run.node == story.told.input and not run.scope else ""
        yield from _run(run, live, birth)


def _front(story: Story, live: Live) -> Iterator[str]:
    told = story.told
    came = f"pebble {told.pebble} of {plain(told.workflow)}"
    state = "open" if story.state == "open" else "set aside" if story.state == "quarantined" else plain(told.result)
    until = story.finished_at or live.now
    yield f"{came}: {state}, {duration(until - told.arrived_at)} since {day_and_clock(told.arrived_at)}"
    # A number is what the head counted, and a retry's key is its own.
    key = "" if story.retry_of or told.key.isdigit() or not told.key else f" as {_short(told.key)}"
    yield f"  came in through {plain(told.input)}{key}"
    if story.retry_of:
        yield f"  a retry of pebble {story.retry_of}"
    if told.given_up:
        yield f"  given up: {plain(told.given_up)}"
    if told.error and told.error != told.given_up:
        yield f"  {first_line(told.error)}"
    if story.broken:
        yield f"  its events tell no more than this: {first_line(story.broken)}"
    if told.wait is not None and story.state in ("open", "owing"):
        yield f"  {wait_line(told.wait, live)}"


def _birth(story: Story) -> str:
    """Say when the pebble's input made it, and with which key."""
    told = story.told
    key = f" with key {_short(told.key)}" if told.key else ""
    return f"made this pebble{key}, {day_and_clock(told.arrived_at)}"


def _run(run: RunTold, live: Live, birth: str) -> Iterator[str]:
    module = "" if run.module == run.node else f" ({plain(run.module)})"
    yield f"{plain(run.node)}{plain(run.scope)}{module}: {_state(run, live)}"
    inner = "    "
    if birth or run.why:
        yield f"{inner}{birth or plain(covered(run.why))}"
    if run.wait is not None and not _open_attempt(run):
        yield f"{inner}{wait_line(run.wait, live)}"
    yield from (f"{inner}{line}" for line in _arguments(run, "not kept" if birth else "not asked for"))
    yield from (f"{inner}{line}" for line in _attempts(run, live))
    yield from (f"{inner}{line}" for line in _outputs(run, "came with" if birth else "returned"))
    if run.error and not any(attempt.error == run.error for attempt in run.attempts):
        yield from _error(run.error, inner)
    if run.parts is not None:
        yield from _parts(run.parts, live, inner)


def _state(run: RunTold, live: Live) -> str:
    """Return a run's state; a task that no worker is in is not said to run."""
    if run.state != "running" or run.wait is None:
        return run.state
    if run.wait.what != ITS_TASK:
        return "waiting"
    return "running" if live.where.get(run.wait.task, "").startswith("runs ") else "queued"


def _open_attempt(run: RunTold) -> bool:
    """Return True when the last attempt's own line says what the run waits for."""
    return bool(run.attempts) and not run.attempts[-1].result


def _arguments(run: RunTold, settled: str) -> Iterator[str]:
    args = run.args
    if not args:
        return
    unknown = "one for each part" if run.parts else "not known yet" if run.wait is not None else settled
    values = [_short(each.value) if each.known else unknown for each in args]
    names = [plain(each.name) for each in args]
    wide = min(NAME_CELLS, max(map(cells, names)))
    far = min(VALUE_COLUMN, max(map(cells, values)))
    for name, value, each in zip(names, values, args, strict=True):
        shown = value if cells(value) > far else fit(value, far)
        yield f"{name if cells(name) > wide else fit(name, wide)} = {shown}  {plain(each.source)}"


def _outputs(run: RunTold, verb: str) -> Iterator[str]:
    """Yield what a run returned; where `post` put something is told whole, to be copied."""
    for name, value in run.outputs.items():
        is_posted = name in run.posted
        yield f"{verb} {plain(name)} = {_whole_value(value) if is_posted else _short(value)}{'  post' * is_posted}"


def _short(value: Any) -> str:
    """Return a value in a few cells."""
    return cut(_whole_value(value), VALUE_CELLS)


def _whole_value(value: Any) -> str:
    """Return a value in one line; one that is kept beside the events is told by its size."""
    if isinstance(value, dict) and value.keys() == {"$blob", "size"}:
        return f"({value['size'] / 1000:.0f} kB)"
    return plain(covered(json.dumps(value, ensure_ascii=False)))


def _attempts(run: RunTold, live: Live) -> Iterator[str]:
    for each in run.attempts:
        yield f"attempt {each.number}: {_attempt_text(each, live)}"
        if each.error:
            yield from _error(each.error, "    ")


def _attempt_text(each: AttemptTold, live: Live) -> str:
    if not each.result:
        return _waits(_where(each.task, live))
    if each.cached:
        return f"{plain(each.result)} {_cached(each)}, {day_and_clock(each.ended_at)}"
    on = f" on {plain(each.worker)}" if each.worker else ""
    took = f" after {each.runtime_s:.1f} s" if each.worker else ""
    return f"{plain(each.result)}{on}{took}, {day_and_clock(each.ended_at)}"


def _cached(each: AttemptTold) -> str:
    """Say that a result was used again, and whose."""
    made = f": what task {plain(each.maker)} returned" if each.maker else ": what an earlier task returned"
    on = f" on {plain(each.worker)}" if each.worker else ""
    return f"from the cache{made}{on}"


def _error(text: str, indent: str) -> Iterator[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    yield from (f"{indent}{plain(line)}" for line in lines[:ERROR_LINES])
    if len(lines) > ERROR_LINES:
        yield f"{indent}… {len(lines) - ERROR_LINES} more lines; cryocloud log has them"


def _parts(parts: PartsTold, live: Live, indent: str) -> Iterator[str]:
    counts = ", ".join(f"{count} {_COUNTED.get(state, state)}" for state, count in parts.counts.items())
    unopened = parts.total - parts.opened
    later = f", {unopened} not begun" if unopened else ""
    whole = "; cryocloud explain ID.N tells one with what it returned" if parts.counts.get("success") else ""
    yield f"{indent}{parts.total} parts: {counts}{later}{'' if parts.asked else whole}"
    if parts.asked is not None:
        yield from (f"{indent}    {line}" for line in _run(parts.asked, live, ""))
        return
    seen: set[str] = set()
    for run in (*parts.failed, *parts.open):
        yield f"{indent}    {plain(run.scope)}  {_part(run, live, seen)}"
    more = sum(count for state, count in parts.counts.items() if state in _OPEN_STATES) - len(parts.open)
    if more > 0:
        yield f"{indent}    … and {more} more that are open"


def _part(run: RunTold, live: Live, seen: set[str]) -> str:
    """Return one part in a line; what a line above says already is not said again."""
    if run.error:
        return f"{run.state}: {first_line(run.error)}"
    if run.wait is None:
        return run.state
    told = next(iter(_attempts(run, live)), "") if _open_attempt(run) else wait_line(run.wait, live)
    stem, _, rest = _waits(told).rpartition("; ")
    if stem and live.where.get(run.wait.task, "").rpartition("; ")[0] in seen:
        return f"the same; {rest}"
    seen.add(live.where.get(run.wait.task, "").rpartition("; ")[0])
    return told


_OPEN_STATES: Final = frozenset({"waiting", "running", "backoff", "cancelling", "postponed", "split"})
_COUNTED: Final = {"running": "queued or running"}


def wait_line(wait: WaitTold, live: Live) -> str:
    """Return the single thing something waits for, with its value and holder."""
    through = [plain(each) for each in wait.through]
    parts = [] if wait.what == ITS_TASK else [plain(wait.what)]
    if wait.task:
        parts.append(_where(wait.task, live))
    if wait.due_at:
        left = wait.due_at - live.now
        clock = time.strftime("%H:%M:%S", time.localtime(wait.due_at))
        parts.append(f"due {clock}, in {duration(left)}" if left > 0 else f"due {clock}, which has passed")
    told = "; ".join(parts)
    if not through:
        return _waits(told)
    front = f"waits for {', behind it '.join(through)}"
    return f"{front}: {told}" if told else front


def _where(task: str, live: Live) -> str:
    if not live.runs:
        return _GONE
    return plain(live.where.get(task, "its end is being written to the journal"))


def _waits(where: str) -> str:
    """Return where something is as a claim of its own."""
    is_claim = where == _GONE or where.startswith(("runs ", "handed ", "being ", "its end is ", "the run "))
    return where if is_claim else f"waits for {where}"
