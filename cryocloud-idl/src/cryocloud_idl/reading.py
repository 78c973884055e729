"""What an IDL program says: results on stdout, complaints on stderr.

Laws: pure. On stdout the line protocol of the sdk comes first; of other lines `key=value` is an output, `ret={...}` is
several, the rest is plain text. GDL's exit status is 0 even when a program failed, so its complaints decide.
"""

from __future__ import annotations

import json
import re
from typing import Any

from attrs import define, field

from cryocloud_core.sdk.lines import ReturnLine

OUTPUT = re.compile(r"([A-Za-z_]\w*)=(.*)")
#: what IDL and GDL say when a program did not go through
FAILURE = re.compile(
    r"% (Execution halted at|Procedure not found|Parser syntax error|Syntax error|Attempt to call undefined)"
)
#: what they say about loading code; nothing is wrong then
LOADING = re.compile(r"% (Compiled module|Loaded DLM|Restored file|LOADCT|SAVE|RESTORE)")
#: complaints that are kept for the error text
MOST = 12


@define
class Results:
    """The outputs that a program told so far; the last one of a name counts."""

    values: dict[str, Any] = field(factory=dict)

    def take(self, text: str) -> bool:
        """Take a plain line; False when it holds no output. Raises ValueError when `ret=` is not followed by JSON."""
        match = OUTPUT.fullmatch(text.strip())
        if match is None:
            return False
        if match[1] == "ret":
            self.add(_json(match[2]))
        else:
            self.values[match[1]] = match[2].strip()
        return True

    def take_return(self, line: ReturnLine) -> None:
        """Take a `{retval}` line. Raises ValueError when it holds no JSON."""
        if line.error:
            raise ValueError(f"idl: {line.error}")
        self.add(line.value)

    def add(self, value: Any) -> None:
        """Add the outputs of a map; any other value is the output `ret`."""
        self.values.update(value if isinstance(value, dict) else {"ret": value})


@define
class Complaints:
    """What was said on stderr, and whether it means that the program failed."""

    failed: bool = False
    lines: list[str] = field(factory=list)

    def take(self, text: str) -> str:
        """Take a line and return the level it deserves in the log."""
        if FAILURE.match(text):
            self.failed = True
        belongs = text.startswith("% ") or (self.lines and text.startswith(" "))
        if not belongs or LOADING.match(text):
            return "DEBUG"
        self.lines = [*self.lines, " ".join(text.removeprefix("%").split())][-MOST:]
        return "ERROR" if self.failed else "WARNING"

    @property
    def text(self) -> str:
        """The complaints in one line."""
        return "; ".join(self.lines)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"idl: ret= is not followed by JSON: {error}; got {text[:80]!r}") from error
