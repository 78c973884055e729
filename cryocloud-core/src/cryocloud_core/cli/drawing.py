"""What `cryocloud graph` does: one file read, drawn, and written where it is wanted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cryocloud_core.api.reading import read, sound
from cryocloud_core.cli.running import reading_of
from cryocloud_core.cli.text import plain
from cryocloud_core.cli.workflow_options import TYPED
from cryocloud_core.errors import CryoCloudError, UsageError
from cryocloud_core.graph import pictures
from cryocloud_core.graph.workflow import Workflow

_WRITERS: Final[Mapping[str, Callable[[Workflow], Iterator[str]]]] = {
    "mermaid": pictures.mermaid,
    "dot": pictures.dot,
}


def draw_file(flags: Mapping[str, Any]) -> int:
    """Draw the workflow and return the exit code. Raises DocumentError when it has errors, UsageError without `dot`."""
    file = read(flags["file"], flags["ctx"].meta[TYPED], reading_of({**flags, "strict": False}))
    [workflow] = sound([file])
    write(picture(workflow, flags["form"]), flags["output"])
    return 0


def picture(workflow: Workflow, form: str) -> str:
    """Return the workflow in one of the formats of the command."""
    if form == "text":
        return "".join(f"{plain(line)}\n" for line in pictures.text(workflow))
    if form == "svg":
        return svg(picture(workflow, "dot"))
    return "".join(f"{line}\n" for line in _WRITERS[form](workflow))


def svg(graph: str) -> str:
    """Return a DOT graph drawn by Graphviz. Raises UsageError when it is missing, CryoCloudError when it fails."""
    program = shutil.which("dot")
    if program is None:
        raise UsageError(
            "SVG is drawn by the program dot of Graphviz, which is not on the PATH",
            remedy="install the package graphviz, or take --format dot or --format mermaid",
        )
    done = subprocess.run([program, "-Tsvg"], input=graph, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise CryoCloudError(f"ended with exit code {done.returncode}: {done.stderr.strip()}", subject=program)
    return done.stdout


def write(text: str, output: Path | None) -> None:
    """Write a text to a file, or to stdout. Raises UsageError when the file cannot be written."""
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", subject=str(output)) from error
