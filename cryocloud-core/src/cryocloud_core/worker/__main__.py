"""The worker process: `python -P -m cryocloud_core.worker FD PARENT`, a stream socket as FD, its starter's pid.

Laws: made by the keeper, which has one thread and runs no module, never forked from the head; it leads its own
session, dies with its parent, inherits the orphans of its tasks; it loads nothing of the terminal, no event loop, no
plugin that its tasks do not need.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys
import traceback
from typing import Any

from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.wire import from_data
from cryocloud_core.worker import logs
from cryocloud_core.worker.capture import Capture
from cryocloud_core.worker.channel import Message, WorkerEnd, widen
from cryocloud_core.worker.contract import WorkerConfig
from cryocloud_core.worker.kernel import adopt_orphans, die_with_parent
from cryocloud_core.worker.run import Runner
from cryocloud_core.worker.session import Session


def main(number: int, parent: int) -> None:
    """Serve the head at the other end of a socket until it says stop."""
    _settle(parent)
    os.set_inheritable(number, False)
    connection = socket.socket(fileno=number)
    widen(connection)
    session = Session(WorkerEnd(connection))
    hello = _hello(session)
    scribe = logs.Scribe(str(hello["name"]), session.tell)
    logs.install(scribe)
    logs.set_level(str(hello["log_level"]))
    capture = Capture(scribe.write_lines)
    reports = _keep_crash_reports()
    try:
        capture.install()
        config = WorkerConfig(hello["config"])
        machine = str(hello["machine"])
        transfers = Transfers(from_data(hello.get("routes", {}), Routes))
        ends = (session.publish, session.stop_event)
        session.serve(Runner(scribe.name, machine, config, scribe, capture, *ends, transfers))
    except BaseException:  # noqa: BLE001 - the last thing this process says
        os.write(reports, traceback.format_exc().encode("utf-8", "replace"))
        os._exit(1)
    os._exit(0)


def _settle(parent: int) -> None:
    """Lead an own session, die with the parent, inherit orphans."""
    if os.getsid(0) != os.getpid():
        os.setsid()
    die_with_parent(signal.SIGKILL)
    adopt_orphans()
    if os.getppid() != parent:  # it died before we could ask to die with it
        os._exit(1)


def _hello(session: Session) -> dict[str, Any]:
    """Return the head's first message; tasks that came with it stay in the session's queue."""
    greeting: list[Message] = []
    session.greet = greeting.append
    while not greeting:
        session.receive(wait=True)
    hello: dict[str, Any] = greeting[0][1]
    return hello


def _keep_crash_reports() -> int:
    """Let reports of our own death go where stderr led at the start, and return that: the captured one dies with us."""
    descriptor = os.dup(2)
    faulthandler.enable(file=descriptor, all_threads=False)
    return descriptor


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
