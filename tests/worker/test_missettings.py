"""How a task ends whose files are at a server with a wrong setting: as one whose files cannot be had, in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

#: a worker's runner with one task that needs a file, or sends one, by a transfer that has a wrong setting
RUN = """
import json, sys, threading
from pathlib import Path
from cryocloud_core import plugin
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.task import Code, Failed, Preparation, Reuse, Staging, StagingKind, Task, Upload
from cryocloud_core.worker.capture import Capture
from cryocloud_core.worker.contract import WorkerConfig
from cryocloud_core.worker.current import Current
from cryocloud_core.worker.logs import Scribe
from cryocloud_core.worker.run import Runner

folder, when, config = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
(folder / "make.py").write_text(
    "ccmodule = {'depends': [], 'provides': []}\\n"
    f"def process_task(worker, task):\\n    return 100, {'{'}'dst': {str(folder / 'make.py')!r}, 'url': 'http://h/f'{'}'}\\n"
)
told = []
scribe = Scribe("w", told.extend)
routes = Routes.of(Registry.of(plugin), lambda root: config.get(root, {}))
runner = Runner("w", "m", WorkerConfig({"tempdir": str(folder / "tmp")}), scribe, Capture(scribe.write_lines),
                lambda *_: None, threading.Event(), Transfers(routes))
several = ["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"]
way = Preparation(StagingKind.FILE)
more = {
    "one": {"args": {"src": several[0]}, "staging": (Staging("src", way),)},
    "list": {"args": {"src": several}, "staging": (Staging("src", way),)},
    "post": {"uploads": (Upload("dst", "s3://127.0.0.1:9/bucket/", basename=True),)},
    "reuse": {"reuse": Reuse(files=("url",))},
}[when]
task = Task("1.A", 1, "A", "make", "W", Code(path=str(folder / "make.py")), "n", **more)
outcome = runner.run(Current(task)).outcome
assert not any("Traceback" in record.text for record in told), told
if when == "reuse":
    assert not isinstance(outcome, Failed), outcome
else:
    assert not outcome.permanent, outcome
    print(outcome.error)
"""

IMMUTABLE = {"HTTP": {"imutable": True}}
MEANT = 'HTTP.imutable: is no setting (did you mean "immutable"?); correct or remove it in cryocloud.toml; there are '
SECURE = {"S3": {"secure": "maybe"}}
LOST = {"HTTP": {"token": {"cryocloud.secret": {"env": "NO_SUCH_SECRET_HERE"}}}}
URL = "http://127.0.0.1:9/a"


def ended(folder: Path, when: str, config: str) -> str:
    """Return what a task's end says."""
    command = [sys.executable, "-c", RUN, str(folder), when, config]
    found = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.parametrize(
    ("when", "config", "told"),
    [
        ("one", IMMUTABLE, f"Preparing files failed: argument 'src': {URL}: {MEANT}"),
        ("list", IMMUTABLE, f"Preparing files failed: argument 'src': {URL}: {MEANT}"),
        (
            "one",
            {"HTTP": {"fast": 1.5, "timeout": "soon"}},
            f"Preparing files failed: argument 'src': {URL}: HTTP.fast: must be true or false, got 1.5\n",
        ),
        (
            "one",
            LOST,
            f"Preparing files failed: argument 'src': {URL}: HTTP.token: environment variable NO_SUCH_SECRET_HERE: is",
        ),
        ("post", SECURE, "postprocessing 'dst' failed: s3://127.0.0.1:9/bucket/make.py: S3.secure: value must be true"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line_with_the_url(
    when: str, config: dict[str, object], told: str, tmp_path: Path
) -> None:
    """What is wrong, where it stands and what to do, without a traceback; another worker may have the secret."""
    said = ended(tmp_path, when, json.dumps(config)).replace(f"{URL[:-1]}b", URL)
    assert said.startswith(told), said
    assert said.count("\n") == 1


def test_a_result_that_cannot_be_looked_at_for_a_wrong_setting_counts_as_changed(tmp_path: Path) -> None:
    """The task has done its work: it succeeds, and its result is not used again."""
    assert ended(tmp_path, "reuse", '{"HTTP": {"imutable": true}}') == ""
