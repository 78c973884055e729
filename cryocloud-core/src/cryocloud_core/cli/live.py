"""A run on a terminal, redrawn a few times a second.

Laws: the picture is laid out by `layout` and only coloured here; it never grows or shrinks while the terminal
keeps its size; drawing happens on a thread of its own and never holds up the run.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cryocloud_core.cli.layout import Line, final_picture, lay_out, wanted_height
from cryocloud_core.cli.text import plain
from cryocloud_core.head.settings import Told
from cryocloud_core.head.view import RunView

REDRAWS_PER_S = 5


def paint(lines: Sequence[Line]) -> Text:
    """Return lines as one rich text: styles from the spans alone, no markup, no wrapping."""
    painted = Text(no_wrap=True, overflow="crop", end="")
    for number, line in enumerate(lines):
        if number:
            painted.append("\n")
        for text, style in line:
            painted.append(text, style or None)
    return painted


class LiveScreen:
    """Watches a run and draws it on `console`; `slots` is the number of tasks that may be active at once."""

    tick_s = 1 / REDRAWS_PER_S
    hears_tasks = False

    def __init__(self, console: Console, slots: int) -> None:
        self._console = console
        self._slots = slots
        self._view: RunView | None = None
        self._live: Live | None = None

    def warned(self, line: str) -> None:
        """Tell a warning about a workflow."""
        self._say(line)

    def opened(self, view: RunView, opening: str) -> None:
        """Tell that a run goes on where an earlier one stopped, if it does, and start to draw."""
        if opening:
            self._say(opening)
        self._view = view
        self._live = Live(
            console=self._console,
            get_renderable=lambda: self.picture(self._view or view),
            refresh_per_second=REDRAWS_PER_S,
            transient=True,
            vertical_overflow="crop",
        )
        self._live.start(refresh=True)

    def picture(self, view: RunView) -> Text:
        """Return the picture at the terminal's present size; one line is left to the cursor."""
        width, height = self._console.size
        return paint(lay_out(view, width, wanted_height(len(view.nodes), self._slots, max(1, height - 1)), self._slots))

    def told(self, record: Told) -> None:
        """Do nothing: the view has it all."""

    def tick(self, view: RunView) -> None:
        """Keep the view for the next redrawing, which happens on a thread of its own."""
        self._view = view

    def closed(self, view: RunView | None, closing: Sequence[str]) -> None:
        """Replace the picture by what is to stay: every node's counters and the last lines."""
        if self._live is not None:
            self._live.stop()
        if view is not None and self._live is not None:
            self._console.print(paint(final_picture(view, self._console.width)), soft_wrap=True)
        for line in closing:
            self._say(line)

    def _say(self, line: str) -> None:
        self._console.print(plain(line), markup=False, highlight=False, emoji=False, soft_wrap=True)
