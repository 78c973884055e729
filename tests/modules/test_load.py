"""Loading: files under private names, neighbours beside them, changed sources anew, errors with their line."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cryocloud_core.errors import ModuleError
from cryocloud_core.modules import load as loading
from cryocloud_core.modules.load import ModuleLoader, home, private_name
from cryocloud_core.sdk.hookspecs import hookimpl
from cryocloud_core.sdk.offers import ModuleOffer
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.task import Code

Install = Callable[..., Path]


class Offering:
    """A plugin that offers processors."""

    def __init__(self, *offers: ModuleOffer) -> None:
        self.offers = offers

    @hookimpl
    def register_processors(self) -> list[ModuleOffer]:
        """Offer them."""
        return list(self.offers)


@pytest.fixture
def loader() -> ModuleLoader:
    """Give a loader that knows no installed modules."""
    return ModuleLoader(Registry.of())


def write(path: Path, text: str) -> Path:
    """Write a source file, with its directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def load(loader: ModuleLoader, path: Path) -> ModuleType:
    """Load a file."""
    return loader.load(Code(path=str(path)))


def process(loader: ModuleLoader, path: Path) -> Any:
    """Load a file and call its `process_task` as a worker does."""
    module = load(loader, path)
    with loader.importable(home(str(path))):
        return module.process_task(None, {"args": {}})


@pytest.mark.parametrize("name", ["copy", "json", "docker", "git", "a b", "ünï-code"])
def test_a_file_never_meets_an_installed_package(loader: ModuleLoader, tmp_path: Path, name: str) -> None:
    """Whatever a file is called, the package of that name stays what it was."""
    path = write(tmp_path / f"{name}.py", "import copy, json\nWHO = 'the file'\nCOPY = copy.deepcopy([1])\n")

    module = load(loader, path)

    assert (module.WHO, module.COPY) == ("the file", [1])
    assert sys.modules["copy"] is copy
    assert sys.modules[module.__name__] is module
    assert module.__file__ == str(path)


def test_equal_names_in_two_directories_live_side_by_side(loader: ModuleLoader, tmp_path: Path) -> None:
    """Two `wind.py` with neighbours of equal names keep to their own, also when they import while they run."""
    for side in "ab":
        write(tmp_path / side / "tools.py", f"SIDE = '{side}'\n")
        write(tmp_path / side / "later.py", f"SIDE = 'later {side}'\n")
        text = "import tools\ndef process_task(w, t):\n    import later\n    return tools.SIDE, later.SIDE\n"
        write(tmp_path / side / "wind.py", text)

    for _ in range(2):
        for side in "ab":
            assert process(loader, tmp_path / side / "wind.py") == (side, f"later {side}")
    assert {"tools", "later"}.isdisjoint(sys.modules)


def test_a_file_is_loaded_once(loader: ModuleLoader, tmp_path: Path) -> None:
    """An unchanged file keeps its state between tasks."""
    path = write(tmp_path / "wind.py", "COUNT = []\n")
    load(loader, path).COUNT.append(1)

    assert load(loader, path).COUNT == [1]
    assert load(loader, tmp_path / "." / "wind.py").COUNT == [1]


def test_a_changed_file_is_loaded_anew(loader: ModuleLoader, tmp_path: Path) -> None:
    """Also when length and time stamp are what they were: within one tick of the disk's clock."""
    path = write(tmp_path / "wind.py", "N = 1\n")
    first = load(loader, path)
    seen = path.stat()

    path.write_text("N = 2\n")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    second = load(loader, path)

    assert (first.N, second.N) == (1, 2)
    assert sys.modules[second.__name__] is second


def test_a_touched_file_is_not_loaded_anew(loader: ModuleLoader, tmp_path: Path) -> None:
    """A new time stamp on the same content is no change."""
    path = write(tmp_path / "wind.py", "N = 1\n")
    first = load(loader, path)

    os.utime(path, (1_000_000, 1_000_000))
    assert load(loader, path) is first


def test_a_file_at_rest_is_not_even_read(loader: ModuleLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between tasks an old file costs a stat."""
    path = write(tmp_path / "wind.py", "N = 1\n")
    os.utime(path, (1_000_000, 1_000_000))
    first = load(loader, path)

    monkeypatch.setattr(Path, "read_bytes", lambda read: pytest.fail(f"{read} was read"))
    assert load(loader, path) is first


def test_a_changed_neighbour_loads_the_module_anew(loader: ModuleLoader, tmp_path: Path) -> None:
    """What was imported from beside the file, directly or by a neighbour, counts as its source."""
    write(tmp_path / "deep.py", "N = 1\n")
    write(tmp_path / "tools.py", "from deep import N\n")
    path = write(tmp_path / "wind.py", "from tools import N\ndef process_task(w, t):\n    return N\n")
    assert process(loader, path) == 1

    write(tmp_path / "deep.py", "N = 2\n")
    assert process(loader, path) == 2
    (tmp_path / "deep.py").unlink()
    with pytest.raises(ModuleError, match="No module named 'deep'"):
        load(loader, path)


def test_a_changed_part_of_a_neighbouring_package_counts_too(loader: ModuleLoader, tmp_path: Path) -> None:
    """A folder beside the file is a neighbour with everything in it."""
    write(tmp_path / "tools" / "__init__.py", "")
    write(tmp_path / "tools" / "part.py", "N = 1\n")
    path = write(tmp_path / "wind.py", "import tools.part\ndef process_task(w, t):\n    return tools.part.N\n")
    assert process(loader, path) == 1

    write(tmp_path / "tools" / "part.py", "N = 12345\n")
    assert process(loader, path) == 12345


def test_a_module_that_is_a_folder_is_a_package(loader: ModuleLoader, tmp_path: Path) -> None:
    """It imports its own parts relatively, and what lies beside the folder."""
    write(tmp_path / "tools.py", "N = 1\n")
    write(tmp_path / "wind" / "part.py", "M = 2\n")
    path = write(tmp_path / "wind" / "__init__.py", "import tools\nfrom .part import M\nBOTH = tools.N, M\n")

    assert load(loader, path).BOTH == (1, 2)


def test_neighbours_are_importable_to_nobody_else(
    loader: ModuleLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that tries an optional import while a module runs does not get the user's file."""
    library = write(
        tmp_path / "lib" / "some_library.py",
        "def probe():\n    try:\n        import tools\n        return tools\n"
        "    except ImportError:\n        return 'not there'\n",
    )
    monkeypatch.syspath_prepend(str(library.parent))
    write(tmp_path / "flows" / "tools.py", "")
    path = write(
        tmp_path / "flows" / "wind.py",
        "import some_library\ndef process_task(w, t):\n    return some_library.probe()\n",
    )

    assert process(loader, path) == "not there"
    sys.modules.pop("some_library")


def test_installed_modules_come_before_neighbours(loader: ModuleLoader, tmp_path: Path) -> None:
    """A stray `colorsys.py` beside the workflow breaks no library and no module."""
    sys.modules.pop("colorsys", None)
    write(tmp_path / "colorsys.py", "WHO = 'stray'\n")
    path = write(tmp_path / "wind.py", "import colorsys\nFILE = colorsys.__file__\n")

    assert not load(loader, path).FILE.startswith(str(tmp_path))


def test_nothing_is_left_behind(loader: ModuleLoader, tmp_path: Path) -> None:
    """After load and run, import system and path are what they were; no bytecode lies beside the workflow."""
    write(tmp_path / "tools.py", "")
    path = write(tmp_path / "wind.py", "import tools\ndef process_task(w, t):\n    import tools\n")
    before = (list(sys.path), list(sys.meta_path), set(sys.modules))

    process(loader, path)

    assert (list(sys.path), list(sys.meta_path)) == before[:2]
    assert set(sys.modules) - before[2] == {private_name(str(path))}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["tools.py", "wind.py"]


def test_a_folder_of_data_is_no_neighbour(loader: ModuleLoader, tmp_path: Path) -> None:
    """`import idl` beside a folder `idl` full of IDL programs means the module."""
    (tmp_path / "idl").mkdir()
    path = write(tmp_path / "wind.py", "import idl\n")

    with pytest.raises(ModuleError, match="No module named 'idl'"):
        load(loader, path)


IDL = "def process_task(worker, task, cancel_event=None):\n    return 100, {'ran': __name__}\n"
WIND = "import idl\ndef process_task(worker, task):\n    return idl.process_task(worker, task)\n"


def test_import_idl_means_the_processor_of_that_name(install: Install, tmp_path: Path) -> None:
    """A registered processor is importable to a file module under its workflow name, and only there."""
    install("cc-idl", {"cc_idl/__init__.py": "", "cc_idl/module.py": IDL})
    loader = ModuleLoader(Registry.of(Offering(ModuleOffer("idl", "cc_idl.module"))))
    path = write(tmp_path / "wind.py", WIND)

    for _ in range(2):
        assert process(loader, path) == (100, {"ran": "cc_idl.module"})
    assert "idl" not in sys.modules
    assert sys.modules["cc_idl.module"].__name__ == "cc_idl.module"
    assert sys.modules["cc_idl.module"].__spec__.name == "cc_idl.module"  # type: ignore[union-attr]


def test_what_else_is_called_so_comes_first(install: Install, tmp_path: Path) -> None:
    """A neighbour or an installed package named `idl` wins over the processor."""
    loader = ModuleLoader(Registry.of(Offering(ModuleOffer("idl", "cc_idl.module"))))
    path = write(tmp_path / "wind.py", WIND)
    write(tmp_path / "idl.py", "def process_task(worker, task):\n    return 'neighbour'\n")
    assert process(loader, path) == "neighbour"

    install("idl", {"idl.py": "def process_task(worker, task):\n    return 'installed'\n"})
    assert process(ModuleLoader(Registry.of()), write(tmp_path / "b" / "wind.py", WIND)) == "installed"


def test_installed_packages_are_asked_only_on_a_miss(
    loader: ModuleLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task whose imports are all there never scans entry points."""
    monkeypatch.setattr(Registry, "installed", lambda: pytest.fail("entry points were scanned"))
    lazy = ModuleLoader()

    assert load(
        lazy, write(tmp_path / "wind.py", "import json\nimport tools\n") and write(tmp_path / "tools.py", "N = 1")
    )
    assert process(lazy, write(tmp_path / "w.py", "import tools\ndef process_task(w, t):\n    return tools.N\n")) == 1


def test_a_module_object_can_be_pickled_by_its_classes(loader: ModuleLoader, tmp_path: Path) -> None:
    """Classes of a file module are found again by name, as dataclasses and pickle need it."""
    text = "import dataclasses\n@dataclasses.dataclass\nclass Point:\n    x: int = 1\n"
    module = load(loader, write(tmp_path / "wind.py", text))

    assert pickle.loads(pickle.dumps(module.Point(3))) == module.Point(3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "x = 1\nraise ValueError('no calibration')\n",
            "{path}:2: module: cannot be loaded: ValueError: no calibration",
        ),
        ("def f(:\n", "{path}:1: module: cannot be loaded: SyntaxError: invalid syntax"),
        ("import nothing_here\n", "{path}:1: module: cannot be loaded: ModuleNotFoundError: No module named"),
        ("import sys\nsys.exit(3)\n", "{path}:2: module: cannot be loaded: SystemExit: 3"),
        ("import json\n\njson.loads('')\n", "{path}:3: module: cannot be loaded: JSONDecodeError: Expecting value"),
    ],
)
def test_an_error_names_the_line_of_the_module(loader: ModuleLoader, tmp_path: Path, text: str, told: str) -> None:
    """The line is the module's own, however deep the error came from; a repaired file loads."""
    path = write(tmp_path / "wind.py", text)

    for _ in range(2):
        with pytest.raises(ModuleError) as error:
            load(loader, path)
        assert str(error.value).startswith(told.format(path=path))
        assert private_name(str(path)) not in sys.modules
    path.write_text("N = 1\n")
    assert load(loader, path).N == 1


def test_a_broken_edit_is_told_and_not_hidden_by_the_old_code(loader: ModuleLoader, tmp_path: Path) -> None:
    """After a change for the worse the old module does not go on in silence."""
    path = write(tmp_path / "wind.py", "N = 1\n")
    load(loader, path)

    path.write_text("N = \n")
    with pytest.raises(ModuleError, match="SyntaxError"):
        load(loader, path)
    path.unlink()
    with pytest.raises(ModuleError, match=r"wind\.py: does not exist"):
        load(loader, path)


def test_an_installed_module_is_imported_by_reference(loader: ModuleLoader) -> None:
    """The reference is what an import statement takes; a failure names it and the cause."""
    assert loader.load(Code(reference="json.decoder")) is sys.modules["json.decoder"]
    with pytest.raises(ModuleError, match=r"module nowhere\.wind: cannot be imported: ModuleNotFoundError"):
        loader.load(Code(reference="nowhere.wind"))


def test_two_threads_load_a_file_once(loader: ModuleLoader, tmp_path: Path) -> None:
    """Inputs start in threads of their own; a file they share runs once."""
    path = write(
        tmp_path / "wind.py",
        "import time\ntime.sleep(0.05)\n"
        "with open(__file__.replace('wind.py', 'ran'), 'a') as ran:\n    ran.write('x')\n",
    )
    loaded: list[ModuleType] = []
    threads = [threading.Thread(target=lambda: loaded.append(load(loader, path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({id(module) for module in loaded}) == 1
    assert len(loaded) == 4
    assert (tmp_path / "ran").read_text() == "x"


def test_one_loader_serves_the_process(tmp_path: Path) -> None:
    """The functions of the room share one memory of files."""
    path = write(tmp_path / "wind.py", "N = 1\n")

    module = loading.load(Code(path=str(path)))
    assert loading.load(Code(path=str(path))) is module
    with loading.importable(str(tmp_path)):
        assert loading.process_loader() is loading.process_loader()
    del sys.modules[module.__name__]


def test_an_input_may_import_its_neighbours_as_long_as_it_runs(tmp_path: Path) -> None:
    """An input imports from beside its file in its own thread, long after it was loaded."""
    write(tmp_path / "tools.py", "N = 1\n")
    text = "def start(handler, args, stop_event):\n    import tools\n    args['n'] = tools.N\n"
    path = write(tmp_path / "in.py", text)
    program = (
        "import sys, threading\nfrom cryocloud_core.modules.load import load_for_good\n"
        "from cryocloud_core.task import Code\nargs = {}\n"
        "module = load_for_good(Code(path=sys.argv[1]))\n"
        "thread = threading.Thread(target=module.start, args=(None, args, None))\n"
        "thread.start()\nthread.join()\nsys.exit(args['n'] + 40)\n"
    )

    assert subprocess.run([sys.executable, "-P", "-c", program, str(path)], check=False).returncode == 41


def test_a_worker_loads_modules_without_the_machinery_of_plugins() -> None:
    """What a worker process starts with knows nothing of entry points."""
    program = "import sys, cryocloud_core.modules.load\nprint(*{'pluggy', 'importlib.metadata'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == ""
