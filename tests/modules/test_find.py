"""Lookup: the order of places, what hides what, and what is told when nothing is found."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.errors import ModuleNotFound, PluginError, SpecError
from cryocloud_core.graph.draft import Found, Missing, Wanted
from cryocloud_core.graph.refs import Argument, Literal
from cryocloud_core.graph.spec import ModuleSpec
from cryocloud_core.modules.find import Finder, look_up, source_path
from cryocloud_core.sdk.hookspecs import hookimpl
from cryocloud_core.sdk.offers import ModuleOffer
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.task import Code

Install = Callable[..., Path]
EXPLODES = "raise SystemExit('finding must not run this')\n"


class Offering:
    """A plugin that offers modules."""

    def __init__(self, *processors: ModuleOffer, inputs: tuple[ModuleOffer, ...] = ()) -> None:
        self.processors = processors
        self.inputs = inputs

    @hookimpl
    def register_processors(self) -> list[ModuleOffer]:
        """Offer the processors."""
        return list(self.processors)

    @hookimpl
    def register_inputs(self) -> list[ModuleOffer]:
        """Offer the inputs."""
        return list(self.inputs)


def write(directory: Path, name: str, **definition: Any) -> Path:
    """Write a module file that says where it lies and must not be run."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.py"
    definition.setdefault("description", str(directory))
    path.write_text(f"ccmodule = {definition!r}\ndef process_task(worker, task): return 100, {{}}\n{EXPLODES}")
    return path


def finder(tmp_path: Path, *plugins: Offering, **given: Any) -> Finder:
    """Return a finder for workflows in `tmp_path/flows`, with these plugins and an empty environment."""
    given.setdefault("environ", {})
    return Finder(tmp_path / "flows", Registry.of(*plugins), **given)


def test_places_are_searched_in_the_documented_order(tmp_path: Path) -> None:
    """Node's workdir, workflow's directory, --module-paths, packages, $CC_DIR, $PYTHONPATH: first hit wins."""
    offering = Offering(ModuleOffer("wind", "pkg.wind", ModuleSpec("wind", "installed")))
    environ = {"CC_DIR": str(tmp_path / "cc"), "PYTHONPATH": f":{tmp_path / 'py1'}:{tmp_path / 'py2'}"}
    flows, work = tmp_path / "flows", tmp_path / "work"
    places = [work, work / "modules", work / "Modules", flows, flows / "modules", flows / "Modules", tmp_path / "extra"]
    last = [tmp_path / "cc" / "CryoCloud" / "Modules", tmp_path / "py1", tmp_path / "py2"]
    for place in [*places, *last]:
        write(place, "wind")

    order = []
    for _ in range(len(places)):
        found = finder(tmp_path, offering, module_paths=(tmp_path / "extra",), environ=environ).find("wind", work)
        order.append(Path(found.code.path or ""))
        order[-1].unlink()
    assert [path.parent for path in order] == places

    assert finder(tmp_path, offering, environ=environ).find("wind", work).code == Code(reference="pkg.wind")
    for place in last:
        assert finder(tmp_path, environ=environ).find("wind").code == Code(path=str(place / "wind.py"))
        (place / "wind.py").unlink()


def test_the_current_directory_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stray file among the data takes nothing over, not even through an empty entry of $PYTHONPATH."""
    write(tmp_path / "data", "remove")
    monkeypatch.chdir(tmp_path / "data")

    with pytest.raises(ModuleNotFound):
        finder(tmp_path, environ={"PYTHONPATH": ":"}).find("remove")
    assert finder(tmp_path).find("remove", ".").code == Code(path=str(tmp_path / "data" / "remove.py"))


def test_a_file_that_hides_an_installed_module_says_so(tmp_path: Path) -> None:
    """The file wins; what it hides is told with its package."""
    offering = Offering(ModuleOffer("git", "pkg.git", ModuleSpec("git")))
    write(tmp_path / "flows", "git")

    assert finder(tmp_path, offering).find("git").shadows == "the installed processor of Offering"
    assert finder(tmp_path).find("git").shadows is None


def test_a_file_found_last_hides_nothing(tmp_path: Path) -> None:
    """After the packages there is nothing left to hide."""
    write(tmp_path / "py", "wind")

    assert finder(tmp_path, environ={"PYTHONPATH": str(tmp_path / "py")}).find("wind").shadows is None


def test_a_folder_with_an_init_is_a_module(tmp_path: Path) -> None:
    """A module may be a folder; a folder of data is none."""
    write(tmp_path / "flows" / "wind", "__init__")
    (tmp_path / "flows" / "wave").mkdir()

    assert finder(tmp_path).find("wind").code.path == str(tmp_path / "flows" / "wind" / "__init__.py")
    with pytest.raises(ModuleNotFound):
        finder(tmp_path).find("wave")


@pytest.mark.parametrize("name", ["../secret", "/etc/x", ".hidden", "", "a/b", "a\0b"])
def test_a_name_is_no_path(tmp_path: Path, name: str) -> None:
    """A workflow cannot reach outside the places."""
    write(tmp_path / "flows" / "a", "b")
    write(tmp_path, "secret")

    with pytest.raises(ModuleNotFound):
        finder(tmp_path).find(name)


def test_what_is_not_found_is_told_with_places_and_a_guess(tmp_path: Path) -> None:
    """All places in order, the nearest name, and packages that could not be asked."""
    write(tmp_path / "flows", "wind")
    offering = Offering(ModuleOffer("unzip", "pkg.unzip"))

    class Broken:
        """No plugin."""

    search = Finder(tmp_path / "flows", Registry.of(offering, Broken()), environ={"PYTHONPATH": "/opt/py"})
    with pytest.raises(ModuleNotFound) as told:
        search.find("widn", tmp_path / "work")
    assert str(told.value) == (
        f'module "widn": not found; looked in {tmp_path}/work, {tmp_path}/work/modules, {tmp_path}/work/Modules, '
        f"{tmp_path}/flows, {tmp_path}/flows/modules, {tmp_path}/flows/Modules, installed packages, /opt/py"
        ' (did you mean "wind"?); Broken could not be asked: it implements no hook'
    )
    with pytest.raises(ModuleNotFound, match='did you mean "unzip"'):
        search.find("unzpi")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\ndef process_task(w, t): pass\n", "{file}: has no ccmodule; write ccmodule = {{...}} into it"),
        ("ccmodule = {}\n", "{file}: defines neither process_task nor start"),
        ("ccmodule = {'depends': 3}\ndef process_task(w, t): pass\n", '{file}: module "wind": '),
        ("ccmodule = {'a': f()}\n", "{file}:1:18: ccmodule is built by code: the call f();"),
    ],
)
def test_an_unusable_file_is_told_by_place(tmp_path: Path, text: str, told: str) -> None:
    """The first hit counts even when it cannot be used; what is wrong is told with file and line."""
    (tmp_path / "flows").mkdir()
    file = tmp_path / "flows" / "wind.py"
    file.write_text(text)
    write(tmp_path / "flows" / "modules", "wind")

    with pytest.raises(SpecError) as error:
        finder(tmp_path).find("wind")
    assert str(error.value).startswith(told.format(file=file))


@pytest.mark.parametrize(
    ("definition", "code", "kind"),
    [
        ({}, "def start(h, a, s): pass", "singlerun"),
        ({"input_type": "permanent"}, "def start(h, a, s): pass", "permanent"),
        ({"job_type": "permanent"}, "def start(h, a, s): pass", "permanent"),
        ({}, "from base import *", None),
    ],
)
def test_what_a_module_is_shows_in_its_source(tmp_path: Path, definition: Any, code: str, kind: str | None) -> None:
    """A module with `start`, or that says so, is an input."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "in.py").write_text(f"ccmodule = {definition!r}\n{code}\n")

    assert finder(tmp_path).find("in").spec.input_type == kind


def test_installed_modules_are_read_without_being_imported(install: Install) -> None:
    """Neither the module nor the package around it runs; the definition comes from its source."""
    files = {
        "cc_wind/__init__.py": EXPLODES,
        "cc_wind/deep/__init__.py": EXPLODES,
        "cc_wind/deep/wind.py": f"ccmodule = {{'description': 'read'}}\ndef process_task(w, t): pass\n{EXPLODES}",
    }
    site = install("cc-wind", files)
    registry = Registry.of(Offering(ModuleOffer("wind", "cc_wind.deep.wind")))

    found = Finder(site / "flows", registry, environ={}).find("wind")

    assert (found.spec.description, found.code) == ("read", Code(reference="cc_wind.deep.wind"))
    assert not any(name.startswith("cc_wind") for name in sys.modules)


@pytest.mark.parametrize("spec", [ModuleSpec("wind", "d", ("Product",)), {"description": "d", "Depends": ["Product"]}])
def test_an_offered_spec_may_be_a_map_or_declared(tmp_path: Path, spec: ModuleSpec | dict[str, Any]) -> None:
    """Both mean the same."""
    found = finder(tmp_path, Offering(ModuleOffer("wind", "pkg.wind", spec))).find("wind")

    assert found.spec == ModuleSpec("wind", "d", ("Product",))


def test_an_offered_input_is_an_input(tmp_path: Path) -> None:
    """Being offered as an input is enough; being offered as the wrong kind is refused."""
    offers = (ModuleOffer("a", "p.a", {}), ModuleOffer("b", "p.b", ModuleSpec("b", input_type="permanent")))
    search = finder(tmp_path, Offering(ModuleOffer("c", "p.c", {"input_type": "permanent"}), inputs=offers))

    assert [search.find(name).spec.input_type for name in "ab"] == ["singlerun", "permanent"]
    with pytest.raises(SpecError, match="the installed processor of Offering: is offered as a processor but declares"):
        search.find("c")


def test_an_offered_module_without_source_is_told(tmp_path: Path) -> None:
    """A compiled or missing module must bring its spec."""
    search = finder(tmp_path, Offering(ModuleOffer("wind", "nowhere.wind"), ModuleOffer("sys", "sys")))

    for name, reference in (("wind", "nowhere.wind"), ("sys", "sys")):
        with pytest.raises(
            SpecError, match=f"{reference}: has no source to read its definition from; offer it with spec="
        ):
            search.find(name)


def test_the_source_of_a_reference_is_found() -> None:
    """As an import would find it."""
    assert source_path("json.decoder") == Path(json.decoder.__file__)
    assert source_path("json") == Path(json.__file__)
    assert source_path("json.nothing") is None


def test_a_definition_built_by_code_is_imported_only_when_asked(tmp_path: Path) -> None:
    """`--import-modules` reads it in another process; what the module prints there is no part of the answer."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "names.py").write_text("NAMES = ['src', 'dst']\n")
    (tmp_path / "flows" / "wind.py").write_text(
        "import names, os\nprint('hello')\nos.write(1, b'hello')\n"
        "ccmodule = {'inputs': {n: n.upper() for n in names.NAMES}}\ndef process_task(w, t): pass\n"
    )

    before = set(sys.modules)
    with pytest.raises(SpecError, match="the loop"):
        finder(tmp_path).find("wind")
    found = finder(tmp_path, import_modules=True).find("wind")

    assert found.spec.inputs == {"src": "SRC", "dst": "DST"}
    assert not any("wind" in name for name in set(sys.modules) - before)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ccmodule = dict(a=1 / 0)\n", "wind.py:1: module: cannot be loaded: ZeroDivisionError: division by zero"),
        ("import os\nos._exit(7)\n", "importing it ended with 7"),
        ("ccmodule = list('a')\n", "ccmodule must be a map, got list"),
        ("ccmodule = {'a': {1}.union()}\n", "Object of type set is not JSON serializable"),
        ("ccmodule = dict(a=1)\n", "defines neither process_task nor start"),
    ],
)
def test_an_import_that_fails_is_told(tmp_path: Path, text: str, told: str) -> None:
    """The other process's own words arrive."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "wind.py").write_text(text)

    with pytest.raises(SpecError) as error:
        finder(tmp_path, import_modules=True).find("wind")
    assert told in str(error.value)


def test_looking_up_gives_every_wanted_module_its_answer(tmp_path: Path) -> None:
    """Found, not found, unusable, claimed twice, or a service: one answer each, with the code of its problem."""
    write(tmp_path / "work", "wind")
    (tmp_path / "work" / "bad.py").write_text("ccmodule = f()\n")
    twice = ModuleOffer("twice", "p.t", {})
    search = finder(tmp_path, Offering(twice), Offering(twice))
    here = Argument(Literal(str(tmp_path / "work")))
    wanted = [
        Wanted("wind", here),
        Wanted("wind"),
        Wanted("bad", here),
        Wanted("twice"),
        Wanted("geo", None, "http://geo/"),
    ]

    def workdir_of(each: Wanted) -> str | None:
        return each.workdir.source.value if each.workdir and isinstance(each.workdir.source, Literal) else None

    answers = list(look_up(wanted, search, workdir_of).values())

    assert isinstance(answers[0], Found)
    assert [each.code for each in answers[1:] if isinstance(each, Missing)] == ["E15", "E16", "E15", "E36"]
    told = [each.why for each in answers[1:] if isinstance(each, Missing)]
    assert told[0].startswith(f"looked in {tmp_path}/flows, ")
    assert told[1].startswith(f"{tmp_path}/work/bad.py:1:12: ccmodule is built by code: the call f();")
    assert told[2] == "is offered by Offering and by Offering; uninstall one of them"
    with pytest.raises(PluginError):
        search.find("twice")
