"""Starting a keeper, ahead of its head if need be: it loads what workers need while the head still loads itself.

Laws: a keeper that was started ahead knows nothing of a run, and no task can reach it; whoever started it ends it,
unless a scheduler took it over. Nothing heavy is imported here, for this is what a run does first.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys

#: the environment variable that marks keeper and workers, and what these start
MARKER = "CRYOCLOUD_STATE"


class KeeperProcess:
    """The process, the head's end of its socket, and the marker in its environment."""

    def __init__(self, marker: str = "") -> None:
        """Start it; what it complains of is lost until it is told where to. Raises OSError."""
        self.marker = marker or secrets.token_hex(16)
        ours, theirs = socket.socketpair()
        argv = [sys.executable, "-P", "-m", "cryocloud_core.worker.keeper", str(theirs.fileno()), str(os.getpid())]
        try:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, MARKER: self.marker},
                pass_fds=[theirs.fileno()],
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self.end = ours
        self._is_taken = False

    def take(self) -> None:
        """A scheduler has it from now on."""
        self._is_taken = True

    def end_unless_taken(self) -> None:
        """End a keeper that nobody took over; returns when it has gone."""
        if not self._is_taken:
            self.end.close()
            self.process.kill()
            self.process.wait()
