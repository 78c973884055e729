"""`cryocloud modules` tells what is installed and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from cryocloud_core.cli.listing import list_modules, show_module, spec_lines, table
from cryocloud_core.errors import ModuleNotFound
from cryocloud_core.graph.draft import Found
from cryocloud_core.graph.spec import ModuleSpec
from cryocloud_core.sdk.hookspecs import hookimpl
from cryocloud_core.sdk.offers import ModuleOffer
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.task import Code

WIND = ModuleSpec("wind", "Wind\x1b[31m from radar", ("Product",), ("Wind",), {"src": "A product"}, {"dst": "A file"})


class Good:
    """A plugin with a module that says what it is and one whose code is missing."""

    @hookimpl
    def register_processors(self) -> list[ModuleOffer]:
        """Offer two modules."""
        return [ModuleOffer("wind", "no.such.wind", WIND), ModuleOffer("gone", "no.such.gone")]


class Bad:
    """A plugin that fails when it is asked."""

    @hookimpl
    def register_inputs(self) -> list[ModuleOffer]:
        """Fail."""
        raise RuntimeError("no licence")


@pytest.fixture
def registry() -> Registry:
    """Give a registry with a good and a bad plugin."""
    return Registry.of(Good(), Bad())


def test_table_of_modules(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    """Each module is a line with kind, package and description; nothing is imported for it."""
    assert list_modules(registry) == 0
    out, err = capsys.readouterr()
    lines = [line.split("  ") for line in out.splitlines()]

    assert [word.strip() for word in lines[0] if word] == ["name", "kind", "package", "description"]
    assert [word.strip() for word in lines[2] if word] == ["wind", "processor", "Good", r"Wind\x1b[31m from radar"]
    assert "gone (Good): no.such.gone: has no source" in err
    assert "Bad: its register_inputs fails: RuntimeError: no licence" in err


def test_one_module_is_shown_whole(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything its definition says is there."""
    assert show_module("wind", registry) == 0
    out = capsys.readouterr().out

    for fact in ("wind (processor)", r"\x1b[31m from radar", "needs     Product", "src  A product", "dst  A file"):
        assert fact in out


def test_an_unknown_module_suggests_the_nearest(registry: Registry) -> None:
    """A misspelt name is refused with the places that were looked in and the nearest name."""
    with pytest.raises(ModuleNotFound, match="did you mean"):
        show_module("wint", registry)


def test_a_module_file_is_shown_with_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A single file in the current directory can be looked at too."""
    (tmp_path / "mine.py").write_text("ccmodule = {'description': 'Mine'}\ndef process_task(w, t): return {}\n")
    monkeypatch.chdir(tmp_path)

    assert show_module("mine", Registry.of()) == 0
    assert str(tmp_path / "mine.py") in capsys.readouterr().out


def test_an_undeclared_map_is_told_apart_from_an_empty_one() -> None:
    """No inputs declared and none taken are different promises."""
    shown = list(spec_lines(Found(ModuleSpec("m", outputs={}), Code("m")), None))

    assert "  inputs    not declared: arguments go unchecked" in shown
    assert "  outputs   none" in shown


def test_table_fits_its_width() -> None:
    """A long description is cut with an ellipsis."""
    rows = [SimpleNamespace(row=("a", "日本", "x" * 50)).row]

    assert list(table(("n", "kind", "text"), rows, 20)) == ["n  kind  text", "a  日本  xxxxxxxxxx…"]
