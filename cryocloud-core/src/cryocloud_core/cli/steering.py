"""What `cryocloud cancel`, `retry`, `stop` and `drain` do: one request, and its answer in words.

Laws: a pebble that could not be steered is named and makes the exit code 1; without a running head the words say what
to do instead.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryocloud_core.cli.one_run import OneRun, ids_and_run, one_run
from cryocloud_core.cli.text import plain
from cryocloud_core.errors import StateError, UsageError
from cryocloud_core.head.asking import ask
from cryocloud_core.head.awaiting import CameTo, came_to, head_of, wait_for_end
from cryocloud_core.head.pebble_search import state_of
from cryocloud_core.url_secrets import covered, covered_data

#: the exit code when the time was over; that of timeout(1)
NOT_IN_TIME: Final = 124
_NOT_YET = "not written to the journal yet: the run pauses or is busy, cryocloud status tells"


def cancel_pebbles(flags: Mapping[str, Any]) -> int:
    """Give pebbles up and return the exit code. Raises UsageError, StateError, what the head refuses with."""
    ids, run = ids_and_run(flags["words"] or (), flags["state_dir"])
    if bool(ids) == flags["every"]:
        raise UsageError("name pebbles by number, or say --all")
    answer = ask(run.directory, "cancel", all=True) if flags["every"] else ask(run.directory, "cancel", pebbles=ids)
    if answer is None:
        raise _no_head(
            run,
            "start the run again and cancel then, or give its unfinished pebbles up with "
            "cryocloud run --fresh or --resume=drop",
        )
    if flags["json"]:
        return _json(answer, 1 if answer["not_open"] else 0)
    if answer["cancelled"] or flags["every"]:
        print(f"given up: {_listed(answer['cancelled'])}")
    for number in answer["already"]:
        print(f"pebble {number} was given up before and is ending")
    for number in answer["not_open"]:
        state = state_of(run.directory, number)
        print(f"pebble {number} {'is finished' if state else 'is not known here'}", file=sys.stderr)
    return _durable(answer) or (1 if answer["not_open"] else 0)


def retry_pebbles(flags: Mapping[str, Any]) -> int:
    """Let pebbles arrive again and return the exit code. Raises UsageError, StateError, what the head refuses with."""
    ids, run = ids_and_run(flags["words"] or (), flags["state_dir"])
    if not ids:
        raise UsageError("name pebbles by number", remedy="cryocloud pebbles --failed lists what failed")
    answer = ask(run.directory, "retry", pebbles=ids)
    if answer is None:
        raise _no_head(run, "start the run first: a pebble is repeated by the head that runs its workflow")
    if flags["json"]:
        return _json(answer, 1 if answer["refused"] else 0)
    for number, again in answer["retried"].items():
        print(f"pebble {number} goes again as pebble {again}")
    for number, why in answer["refused"].items():
        line = plain(covered(why))
        print(line if line.startswith("pebble ") else f"pebble {number}: {line}", file=sys.stderr)
    return _durable(answer) or (1 if answer["refused"] else 0)


def stop_run(flags: Mapping[str, Any], how: str) -> int:
    """Suspend or drain a run and return the exit code. Raises UsageError, StateError."""
    run = one_run(flags["words"] or (), flags["state_dir"])
    wait = flags["wait"] or flags["timeout"] is not None
    head = head_of(run.directory) if wait else None
    answer = ask(run.directory, how)
    if answer is None:
        raise _no_head(run, "there is nothing to end")
    if not flags["json"]:
        _tell_end(answer)
    if head is None:
        return _json(answer, 0) if flags["json"] else 0
    ended = wait_for_end(head, flags["timeout"])
    found = came_to(head) if ended else None
    code = NOT_IN_TIME if found is None else _code(found, how)
    if flags["json"]:
        return _json({**answer, "ended": ended, "exit_code": code}, code)
    if found is None:
        print(f"it has not ended within {flags['timeout']:g} s, and goes on to", file=sys.stderr)
    else:
        print(_ended(found, how), file=sys.stderr if code else sys.stdout)
    return code


def _code(found: CameTo, how: str) -> int:
    """Return the exit code of a command that waited for the end."""
    if how == "stop":
        return 0
    return StateError.exit_code if found.exit_code is None else found.exit_code


def _ended(found: CameTo, how: str) -> str:
    counts = ((found.failed, "failed"), (found.cancelled, "cancelled"))
    told = ", ".join(f"{number} {what}" for number, what in counts if number)
    done = f"{found.done} pebble{'' if found.done == 1 else 's'} done{f' ({told})' if told else ''}"
    if found.exit_code is None:
        return f"stopped{'' if how == 'stop' else ' before all had ended'}: {done}, the next start goes on"
    return f"ended: {done}{'; cryocloud pebbles --failed lists what failed' if found.failed else ''}"


def _tell_end(answer: Mapping[str, Any]) -> None:
    running, waiting = answer["running"], answer["open"]
    tasks = f"{running} running task{'' if running == 1 else 's'}"
    pebbles = f"{waiting} open pebble{'' if waiting == 1 else 's'}"
    if answer["state"] == "draining":
        print(f"draining: {pebbles} to finish", flush=True)
    else:
        print(f"{plain(answer['state'])}: waiting for {tasks}; {pebbles} wait for the next start", flush=True)


def _no_head(run: OneRun, remedy: str) -> StateError:
    return StateError("no head runs here", place=str(_shown(run.directory)), remedy=remedy)


def _shown(directory: Path) -> Path:
    return directory.absolute()


def _json(answer: dict[str, Any], code: int) -> int:
    print(json.dumps(covered_data(answer)))
    return code


def _durable(answer: dict[str, Any]) -> int:
    if not answer["durable"]:
        print(_NOT_YET, file=sys.stderr)
        return 1
    return 0


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:20]))
    more = f" and {len(numbers) - 20} more" if len(numbers) > 20 else ""
    return f"pebble{'' if len(numbers) == 1 else 's'} {shown}{more}" if numbers else "nothing was open"
