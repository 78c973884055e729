"""Writes the pages of docs/reference that are drawn from the code, and the drawn parts of the one that is written.

Laws: what is drawn is a function of the code alone, so that a test can compare it with what is committed; what a
page says about a hook or an error is that thing's own docstring; text outside the marks of a drawn part is the
author's and stays as it is.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Final

from cryocloud_core import errors
from cryocloud_core.cli.reference import cli_page, json_page
from cryocloud_core.cli.status_reference import status_page
from cryocloud_core.engine.reference import state_blocks
from cryocloud_core.graph.reference import language_blocks, problems_page
from cryocloud_core.sdk import hookspecs

HERE = Path(__file__).resolve().parent / "reference"
NOTE = "<!-- Written by `python3 tasks.py docs` from the code; changes belong there. -->"


def hooks() -> Iterator[FunctionType]:
    """Yield the hooks in the order of their page."""
    marker = f"{hookspecs.PROJECT}_spec"
    for value in vars(hookspecs).values():
        if inspect.isfunction(value) and hasattr(value, marker):
            yield value


def error_classes() -> Iterator[type[errors.CryoCloudError]]:
    """Yield the error classes in the order of their page."""
    for value in vars(errors).values():
        if inspect.isclass(value) and issubclass(value, errors.CryoCloudError):
            yield value


def describe_hook(hook: FunctionType) -> str:
    """Return the section of one hook; its annotations are texts, shown without their quotes."""
    signature = str(inspect.signature(hook)).replace("'", "")
    return f"## `{hook.__name__}`\n\n```python\ndef {hook.__name__}{signature}\n```\n\n{inspect.getdoc(hook)}"


def hooks_page() -> str:
    """Return the page of the hooks: signature and meaning of each."""
    front = f"""\
# Hooks

{NOTE}

A plugin implements any of these under the entry-point group `{hookspecs.PROJECT}`, each marked with
`cryocloud_core.sdk.hookspecs.hookimpl`. The version of this page is {hookspecs.API_VERSION}."""
    return "\n\n".join([front, *map(describe_hook, hooks())]) + "\n"


def describe_error(error: type[errors.CryoCloudError]) -> str:
    """Return the section of one error."""
    parents = ", ".join(f"`{parent.__name__}`" for parent in error.__bases__)
    front = f"## `{error.__name__}`\n\nDerives from {parents}. Exit code {error.exit_code}."
    return f"{front}\n\n{inspect.getdoc(error)}"


def errors_page() -> str:
    """Return the page of the errors: what each means, what it derives from and the exit code it leads to."""
    tree = inspect.cleandoc(errors.__doc__ or "").split("::\n\n", 1)[1].split("\n\n", 1)[0]
    front = f"# Errors\n\n{NOTE}\n\n```\n{inspect.cleandoc(tree)}\n```"
    return "\n\n".join([front, *map(describe_error, error_classes())]) + "\n"


#: A drawn part of a written page: its name, then what stands between the marks.
DRAWN: Final = re.compile(r"(<!-- drawn: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def language_page() -> str:
    """Return the page of the language as it is written, with its drawn parts drawn anew.

    Raises:
        ValueError: the page lacks the marks of a drawn part, or has marks that nothing is drawn for.
    """
    blocks = {**language_blocks(), **state_blocks()}
    text = (HERE / "language.md").read_text(encoding="utf-8")
    marked = [found[2] for found in DRAWN.finditer(text)]
    if sorted(marked) != sorted(blocks):
        raise ValueError(f"language.md: its drawn parts are {sorted(marked)}, expected {sorted(blocks)}")
    return DRAWN.sub(lambda found: f"{found[1]}\n{blocks[found[2]]}\n\n{found[3]}", text)


#: Each page's file name and what draws it; another page is added here.
PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page,
    "errors.md": errors_page,
    "findings.md": partial(problems_page, NOTE),
    "hooks.md": hooks_page,
    "json-lines.md": json_page,
    "language.md": language_page,
    "status.md": status_page,
}


def main() -> None:
    """Write every page."""
    HERE.mkdir(exist_ok=True)
    for name, draw in PAGES.items():
        # A page is replaced whole: somebody may be reading it to draw its parts.
        draft = HERE / f".{name}.{os.getpid()}"
        draft.write_text(draw(), encoding="utf-8")
        draft.replace(HERE / name)


if __name__ == "__main__":
    main()
