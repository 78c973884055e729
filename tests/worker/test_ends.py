"""How a task ends when something raises that nobody expected: it fails, the process lives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

#: a worker's runner with one task, whose module returns a file; what the code of its transfer raises is put in
RUN = """
import sys, threading
from pathlib import Path
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.routes import Route, Routes
from cryocloud_core.sdk.transfer import Abilities, Transfer
from cryocloud_core.task import Cancelled, Code, Failed, Reuse, Task, Upload
from cryocloud_core.worker.capture import Capture
from cryocloud_core.worker.contract import WorkerConfig
from cryocloud_core.worker.current import Current
from cryocloud_core.worker.logs import Scribe
from cryocloud_core.worker.run import Runner

folder = Path(sys.argv[1])
(folder / "make.py").write_text(
    "ccmodule = {'depends': [], 'provides': []}\\n"
    f"def process_task(worker, task):\\n    return 100, {'{'}'dst': {str(folder / 'make.py')!r}, 'url': 'odd://h/f'{'}'}\\n"
)
told = []

class Odd(Transfer):
    abilities = Abilities(put=True)
    def stat(self, url):
        current.cancel.set() if sys.argv[2] == "cancel" else None
        raise KeyError("a bug of ours")
    read = stat

scribe = Scribe("w", told.extend)
routes = Routes({"odd": Route("odd", "__main__:Odd", "ODD")})
runner = Runner("w", "m", WorkerConfig({"tempdir": str(folder / "tmp")}), scribe, Capture(scribe.write_lines),
                lambda *_: None, threading.Event(), Transfers(routes))
more = {"reuse": Reuse(files=("url",))} if sys.argv[2] != "post" else {"uploads": (Upload("dst", "odd://h/"),)}
current = Current(Task("1.A", 1, "A", "make", "W", Code(path=str(folder / "make.py")), "n", **more))
outcome = runner.run(current).outcome
if sys.argv[2] == "cancel":
    assert isinstance(outcome, Cancelled), outcome
else:
    assert isinstance(outcome, Failed), outcome
    assert outcome.error == "KeyError: 'a bug of ours'", outcome
    assert any("Traceback" in record.text for record in told), told
"""


@pytest.mark.parametrize("when", ["post", "cancel"])
def test_what_a_transfers_own_code_raises_is_the_tasks_end(when: str, tmp_path: Path) -> None:
    """While outputs are sent, or looked at for the cache, and when the task is told to stop at that moment."""
    found = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path), when], capture_output=True, text=True, timeout=30, check=False
    )
    assert found.returncode == 0, found.stderr
