"""The tutorial: a reader who types what it says gets what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial" / "first-workflow.md"
STEP = re.compile(r"(?:<!-- exit (?P<exit>\d+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)
FILE = re.compile(r"`(\w+\.\w+)`[^`]*\Z")

pytestmark = pytest.mark.system


class Reader:
    """Somebody at a shell who follows the page, in an empty home."""

    def __init__(self, home: Path) -> None:
        self.here = home
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "CC_", "CRYOCLOUD"))}
        self.env = kept | {"HOME": str(home), "PATH": path}
        self.said = ""

    def write(self, told: str, text: str) -> None:
        """Write the file that the sentence before a block names last."""
        found = FILE.search(told.rstrip())
        assert found is not None, f"no file is named before {text[:40]!r}"
        (self.here / found[1]).write_text(text, encoding="utf-8")

    def type(self, commands: str, code: int) -> None:
        """Type commands; the shell stays where they lead."""
        script = f"set -e\ntrap 'pwd >&3' EXIT\n{commands}"
        where, into = os.pipe()
        with os.fdopen(where) as place:
            done = subprocess.run(
                ["bash", "-c", script.replace(">&3", f">&{into}")],
                cwd=self.here,
                env=self.env,
                pass_fds=[into],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=90,
            )
            os.close(into)
            self.here = Path(place.read().strip())
        self.said = done.stdout
        assert done.returncode == code, f"{commands}{self.said}"

    def compare(self, shown: str) -> None:
        """Demand every line that the page shows, in that order; the rest of a line may vary."""
        at = 0
        for line in shown.splitlines():
            found = self.said.find(line, at)
            assert found >= 0, f"{line!r} is not in what was said:\n{self.said}"
            at = found + len(line)


def test_a_reader_gets_what_the_page_shows(tmp_path: Path) -> None:
    """Files are written, commands typed and what they print compared, from the top of the page to its end."""
    page = PAGE.read_text(encoding="utf-8")
    reader, steps, end = Reader(tmp_path), 0, 0
    for step in STEP.finditer(page):
        match step["kind"]:
            case "sh":
                reader.type(step["text"], int(step["exit"] or 0))
            case "text":
                reader.compare(step["text"])
            case _:
                reader.write(page[end : step.start()], step["text"])
        steps, end = steps + 1, step.end()

    assert steps > 15
    assert not list(tmp_path.glob("**/cc-*"))
