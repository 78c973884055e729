"""Log lines of a worker on their way to the head.

Laws: every line carries pebble, node, task and worker; a line is cut at 64 KiB and has no secrets of URLs; a line that
cannot be formatted is told as it is, with the reason, and never breaks the module that wrote it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from attrs import define, evolve

from cryocloud_core.sdk.lines import CUT
from cryocloud_core.sdk.observed import LogRecord
from cryocloud_core.task import Cancelled, Declined, Failed, Outcome, Task
from cryocloud_core.url_secrets import covered

#: characters of one line
TEXT_LIMIT = 64 * 1024
#: what module loggers are named below
ROOT = "cryocloud"


@define(eq=False)
class Scribe:
    """Makes log records of the worker `name`, for the task it is in (None between tasks)."""

    name: str
    send: Callable[[list[LogRecord]], None]
    task: Task | None = None

    def write(self, level: str, text: str, logger: str = "", **place: Any) -> None:
        """Tell one line; `place` may hold module, function and line."""
        self.send([self._record(level, text, logger, place)])

    def write_lines(self, logger: str, lines: list[tuple[str, str]]) -> None:
        """Tell several lines, each a level and a text, in one message."""
        self.send([self._record(level, text, logger, {}) for level, text in lines])

    def _record(self, level: str, text: str, logger: str, place: dict[str, Any]) -> LogRecord:
        cut = shown(text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT] + CUT)
        task = self.task
        if task is None:
            return LogRecord(time.time(), level, cut, logger, worker=self.name, **place)
        return LogRecord(
            time.time(),
            level,
            cut,
            logger,
            workflow=task.workflow,
            pebble=task.pebble,
            node=task.node,
            task=task.id,
            worker=self.name,
            **place,
        )


class ScribeHandler(logging.Handler):
    """Hands everything that Python's logging is told to a scribe."""

    def __init__(self, scribe: Scribe) -> None:
        super().__init__()
        self._scribe = scribe
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one record, with its traceback if it has one."""
        try:
            text = self.format(record)
        except Exception as error:  # noqa: BLE001 - a module's wrong format string is told, not raised into it
            text = f"{record.msg!r} % {record.args!r}: {type(error).__name__}: {error}"
        level = record.levelname if record.levelname in logging.getLevelNamesMapping() else "INFO"
        self._scribe.write(
            level, text, record.name, module=record.module, function=record.funcName or "", line=record.lineno
        )


def shown(text: str) -> str:
    """Return words of a module without the secrets of the URLs in them, and of their parts that begin with `?`."""
    return covered(text) if "://" in text or "?" in text else text


def shown_end(outcome: Outcome) -> Outcome:
    """Return how a task ended, in words without secrets of URLs; its outputs, which are data, stay as they are."""
    match outcome:
        case Failed(error=error):
            return evolve(outcome, error=shown(error))
        case Declined(why=why) | Cancelled(why=why):
            return evolve(outcome, why=shown(why))
        case _:
            return outcome


def install(scribe: Scribe) -> None:
    """Make this process's root logger write to the scribe alone."""
    root = logging.getLogger()
    root.handlers[:] = [ScribeHandler(scribe)]
    logging.captureWarnings(True)


def set_level(name: str) -> None:
    """Set the level below which lines are dropped; an unknown name counts as INFO."""
    level = logging.getLevelNamesMapping().get(name, logging.INFO)
    root = logging.getLogger()
    if root.level != level:
        root.setLevel(level)
