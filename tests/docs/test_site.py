"""The site that is built from docs/: no page is forgotten, and none is named that is not there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def pages() -> set[str]:
    """Return the pages of docs/ that belong to the project, as the site names them."""
    listed = subprocess.run(["git", "ls-files", "docs/*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {line.removeprefix("docs/") for line in listed.stdout.splitlines()}


def test_the_navigation_names_every_page_once() -> None:
    """A page that is added gets its line in mkdocs.yml."""
    named = re.findall(r"^ +- (?:.+: )?(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)

    assert len(named) == len(set(named))
    assert set(named) == pages()


def test_the_front_page_leads_to_every_page() -> None:
    """Nobody has to know the folders."""
    front = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")

    assert set(re.findall(r"\]\((\S+\.md)\)", front)) == pages() - {"index.md"}
