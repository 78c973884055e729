"""The reference pages say what the code says."""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

REMEDY = "the page differs from the code; run: python3 tasks.py docs"


@pytest.fixture(scope="module")
def generator(root: Path) -> dict[str, Any]:
    """Give the names of docs/generate.py."""
    return runpy.run_path(str(root / "docs" / "generate.py"))


def test_generated_pages_are_up_to_date(root: Path, generator: dict[str, Any]) -> None:
    """Each page in docs/reference that is drawn from the code equals what the code draws now."""
    for name, draw in generator["PAGES"].items():
        written = (root / "docs" / "reference" / name).read_text(encoding="utf-8")
        assert written == draw(), f"{name}: {REMEDY}"


def test_every_hook_has_a_section_that_names_its_arguments(root: Path, generator: dict[str, Any]) -> None:
    """The hooks that plugins can implement are those that the page explains, with every argument."""
    page = (root / "docs" / "reference" / "hooks.md").read_text(encoding="utf-8")
    hooks = list(generator["hooks"]())

    assert hooks
    for hook in hooks:
        assert f"## `{hook.__name__}`" in page
        assert all(f"{argument}: " in page for argument in hook.__code__.co_varnames[: hook.__code__.co_argcount])


def test_every_error_is_drawn_in_the_tree_and_explained(root: Path, generator: dict[str, Any]) -> None:
    """Each error class stands in the drawing at the top of errors.py and has a section of its own."""
    tree, *sections = (root / "docs" / "reference" / "errors.md").read_text(encoding="utf-8").split("## `")
    names = [error.__name__ for error in generator["error_classes"]()]

    assert [section.split("`", 1)[0] for section in sections] == names
    assert [name for name in names if f" {name} " not in tree.replace("\n", " ")] == []
