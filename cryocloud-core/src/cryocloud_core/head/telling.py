"""What goes out to people: log records, observers, whoever draws the run.

Laws: a record is told once to each: the disk, the ring of the view, the listener; secrets are covered before;
the listener is called on the loop only; nothing here waits for anybody.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque

from attrs import evolve

from cryocloud_core.head.records import Records
from cryocloud_core.head.settings import Listener, Told
from cryocloud_core.head.veil import Veil
from cryocloud_core.sdk.observed import LogRecord
from cryocloud_core.url_secrets import covered

#: lines the view remembers
RING = 200
_LEVELS = logging.getLevelNamesMapping()


class Telling:
    """The head's voice; `log` and `record` may be called from any thread."""

    def __init__(
        self, records: Records, listener: Listener | None, level: str = "INFO", veil: Veil | None = None
    ) -> None:
        self.ring: deque[LogRecord] = deque(maxlen=RING)
        #: the listener, if there is one, wants to hear of each task
        self.hears_tasks = True
        self._records = records
        self._listener = listener
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = threading.get_ident()
        self._veil = veil or Veil()
        self._least = _LEVELS.get(level.upper(), logging.INFO)

    @property
    def listened(self) -> bool:
        """True when somebody listens."""
        return self._listener is not None

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call the listener on this loop."""
        self._loop = loop
        self._loop_thread = threading.get_ident()

    def tell(self, told: Told) -> None:
        """Tell the listener; to be called on the loop."""
        if self._listener is not None:
            self._listener(told)

    def record(self, record: LogRecord) -> None:
        """Take a log record."""
        if _LEVELS.get(record.level.upper(), logging.INFO) < self._least:
            return
        if self._veil:
            record = evolve(record, text=self._veil.text(record.text))
        self.ring.append(record)
        self._records.put(record)
        if self._listener is None:
            return
        if threading.get_ident() == self._loop_thread:
            self._listener(record)
        elif self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._listener, record)

    def log(
        self, level: str, text: str, *, workflow: str = "", pebble: int = 0, node: str = "", task: str = ""
    ) -> None:
        """Make a log record of the head itself."""
        self.record(
            LogRecord(
                time.time(),
                level,
                covered(text),
                logger="cryocloud.head",
                workflow=workflow,
                pebble=pebble,
                node=node,
                task=task,
            )
        )

    def logger(self, name: str, *, workflow: str = "", node: str = "") -> logging.Logger:
        """Return a logger whose lines come here, belonging to no tree of loggers."""
        logger = logging.Logger(name, self._least)  # noqa: LOG001 - global loggers outlive a head
        logger.addHandler(_Handler(self, workflow, node))
        return logger


class _Handler(logging.Handler):
    """Turns what the logging package makes into our records."""

    def __init__(self, telling: Telling, workflow: str, node: str) -> None:
        super().__init__()
        self._telling = telling
        self._workflow = workflow
        self._node = node

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on."""
        self._telling.record(
            LogRecord(
                record.created,
                record.levelname,
                covered(self.format(record)),
                logger=record.name,
                module=record.module,
                function=record.funcName or "",
                line=record.lineno,
                workflow=self._workflow,
                node=self._node,
            )
        )
