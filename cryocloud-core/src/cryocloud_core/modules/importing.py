"""Reading a definition that is built by code, by importing the module in a process of its own.

Laws: used only where the user asked for it (`--import-modules`); whatever the module does at import, it does not do
in the head; its printing never mixes with the answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import attrs

from cryocloud_core.errors import ModuleError, SpecError
from cryocloud_core.graph.spec import ModuleSpec
from cryocloud_core.modules.load import load
from cryocloud_core.modules.read import DEFINITION, Source
from cryocloud_core.task import Code
from cryocloud_core.wire import from_json, to_json

#: Importing a machine-learning stack from a cold network disk has been seen to take a minute.
TIME_LIMIT_S = 120.0


def import_apart(code: Code) -> Source:
    """Import a module in another process and return what it defines. Raises SpecError with that process's last line."""
    command = [sys.executable, "-P", "-m", __name__, to_json(code)]
    subject = code.path or code.reference or ""
    try:
        ended = subprocess.run(command, capture_output=True, check=False, timeout=TIME_LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise SpecError(f"was still being imported after {TIME_LIMIT_S:g} s", place=subject) from error
    lines = ended.stderr.decode(errors="replace").strip().splitlines()
    if ended.returncode:
        raise SpecError(lines[-1] if lines else f"importing it ended with {ended.returncode}", place=subject)
    told: dict[str, Any] = json.loads(ended.stdout)
    return Source(told["definition"], told["has_start"], told["has_process_task"])


def _definition_of(code: Code) -> dict[str, Any]:
    module = load(code)
    written = getattr(module, DEFINITION, None)
    definition = attrs.asdict(written) if isinstance(written, ModuleSpec) else written
    if not isinstance(definition, dict):
        raise SpecError(f"{DEFINITION} must be a map, got {type(definition).__name__}")
    return {
        "definition": definition,
        "has_start": callable(getattr(module, "start", None)),
        "has_process_task": callable(getattr(module, "process_task", None)),
    }


def main(arguments: list[str]) -> int:
    """Answer with JSON on the real standard output; what the module prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        answer = json.dumps(_definition_of(from_json(arguments[0], Code)))
    except (ModuleError, TypeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with answers:
        answers.write(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
