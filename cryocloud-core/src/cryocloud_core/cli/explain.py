"""`cryocloud explain`: the story of one pebble."""

from __future__ import annotations

from typing import Annotated

import typer

from cryocloud_core.cli import flags

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="ID [WORKFLOW|FILE]",
        help="The pebble's number, or that of a part, as 42.1; the workflow where several have run.",
    ),
]


def explain(words: Words, *, json: flags.Json = False, state_dir: flags.ReadStateDir = None) -> None:
    """Tell the story of one pebble, open or finished.

    Why each node ran, waits, was skipped or failed, with its arguments and where each came from, and with what it
    returned: with `post`, where the file is now; for what waits, the one thing it waits for and who has it. What a part
    of a split returned is told when that part is named. With --json the values are whole, with the secrets of the
    addresses in them.
    """
    given = dict(locals())
    from cryocloud_core.cli.explain_showing import show_story

    raise typer.Exit(show_story(given))
