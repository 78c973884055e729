"""Modules that come and go, do not work here, kill their worker, need files, loop: real workers run every case."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.files.tempdirs import make_tempdir, shared_name
from cryocloud_core.task import Code, Declined, Failed, Lost, Preparation, Staging, StagingKind, Succeeded


def returning(expression: str) -> str:
    """Return the source of a module that returns an expression."""
    return f"def process_task(worker, task):\n    return {expression}\n"


def test_a_changed_file_is_loaded_anew(floor: Any) -> None:
    """Before the next task, with its hooks."""
    code = floor.module(returning("{'v': 1}"), "changing")
    assert floor.run(code).outcome == Succeeded({"v": 1})
    floor.module("# longer now\n" + returning("{'v': 2}"), "changing")
    assert floor.run(code).outcome == Succeeded({"v": 2})


def test_hooks_are_called_when_a_module_comes_and_goes(floor: Any, tmp_path: Path) -> None:
    """Canrun and load are called once, unload when another module takes over."""
    evidence = tmp_path / "hooks"
    code = floor.module(f"""
    def note(text):
        with open({str(evidence)!r}, "a") as file:
            file.write(text + " ")
    def canrun():
        note("canrun")
        return True
    def load():
        note("load")
    def unload():
        note("unload")
    def process_task(worker, task):
        note("task")
        return {{}}
    """)
    floor.run(code)
    floor.run(code)
    floor.run(returning("{}"))
    assert evidence.read_text() == "canrun load task task unload "


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import no_such_package\n", ["ModuleNotFoundError", "no_such_package"]),
        ("def broken(:\n", ["SyntaxError"]),
        ("raise SystemExit(1)\n", ["SystemExit"]),
        ("def canrun():\n    return False\ndef process_task(worker, task):\n    return {}\n", ["canrun"]),
        ("def canrun():\n    1 / 0\ndef process_task(worker, task):\n    return {}\n", ["canrun", "ZeroDivisionError"]),
        ("def load():\n    1 / 0\ndef process_task(worker, task):\n    return {}\n", ["load", "ZeroDivisionError"]),
    ],
)
def test_a_module_that_does_not_work_here_is_declined(source: str, words: list[str], floor: Any) -> None:
    """Nothing of the task ran, so it may go elsewhere; every time."""
    code = floor.module(source)
    for _ in range(2):
        outcome = floor.run(code).outcome
        assert isinstance(outcome, Declined)
        assert outcome.node == "here"
        for word in words:
            assert word in outcome.why


def test_a_module_without_process_task_is_wrong_for_good(floor: Any) -> None:
    """No repeat helps."""
    outcome = floor.run("x = 1\n").outcome
    assert isinstance(outcome, Failed)
    assert outcome.permanent
    assert "process_task" in outcome.error


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("import ctypes; ctypes.string_at(0)", ["SIGSEGV"]),
        ("import os; os._exit(3)", ["exit code 3"]),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", ["SIGKILL"]),
    ],
)
def test_a_worker_that_dies_in_a_task_loses_that_task(statement: str, words: list[str], floor: Any) -> None:
    """It is replaced, and the next task runs."""
    end = floor.run(f"def process_task(worker, task):\n    print('last words', flush=True)\n    {statement}\n")

    assert isinstance(end.outcome, Lost)
    assert end.outcome.node == "here"
    for word in [*words, "Worker-here_0"]:
        assert word in end.outcome.why
    assert end.stats is not None
    assert floor.run(returning("{}")).outcome == Succeeded({})


def test_a_segfault_leaves_its_place_in_the_log(floor: Any) -> None:
    """Python's own report of the crash, with the line of the module."""
    floor.run("import ctypes\ndef process_task(worker, task):\n    ctypes.string_at(0)\n")
    reports = [record.text for record in floor.ear.records if "SIGSEGV" in record.text]
    assert any("in process_task" in text for text in reports)


def test_staging_happens_before_the_call(floor: Any, tmp_path: Path) -> None:
    """An archive is unpacked, a tempdir made; the task's errors name argument and reason."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("f", "content")
    source = returning("{'args': task['args']}")
    preparations = (
        Staging("src", Preparation(StagingKind.FILE, unzip=True)),
        Staging("dir", Preparation(StagingKind.TEMPDIR, id="w")),
    )
    args = {"src": str(tmp_path / "a.zip"), "dir": None, "n": 1}

    seen = floor.run(source, args, staging=preparations).outcome.outputs["args"]
    assert seen["src"] == [str(tmp_path / "a" / "f")]
    assert Path(seen["dir"]).is_dir()
    assert seen["n"] == 1
    missing = floor.run(source, {**args, "src": str(tmp_path / "none")}, staging=preparations).outcome
    assert "Preparing files failed: argument 'src'" in missing.error
    assert not missing.permanent
    relative = floor.run(source, {**args, "src": "none"}, staging=preparations).outcome
    assert "absolute path" in relative.error
    assert relative.permanent


def test_clean_up_is_an_ordinary_task(floor: Any) -> None:
    """The engine's removal of a pebble's directories, on an admin worker."""
    base = floor.settings.worker_config["tempdir"]
    path = make_tempdir(base, shared_name("nonce1", "w"))
    code = Code(reference="cryocloud_core.files.tempdirs")
    end = floor.run(code, {"nonce": "nonce1", "bases": [None]}, kind="admin")

    assert end.outcome == Succeeded({"removed": [str(path)]})
    assert end.stats.worker == "AdminWorker-here"
    assert not path.exists()


def test_a_loop_is_one_task_with_aligned_lists(floor: Any) -> None:
    """Keys an item did not return are null; an error names the index."""
    source = """
    def process_task(worker, task):
        n = task["args"]["n"]
        if n < 0:
            raise ValueError("negative")
        return {"square": n * n} if n % 2 else {"even": True}
    """
    code = floor.module(source)

    end = floor.run(code, {"n": [1, 2, 3]}, loop="n", outputs=("square",))
    assert end.outcome == Succeeded({"square": [1, None, 9], "even": [None, True, None]})
    assert floor.run(code, {"n": []}, loop="n", outputs=("square",)).outcome == Succeeded({"square": []})
    assert floor.run(code, {"n": [1, -1]}, loop="n").outcome.error == "item 1: negative"
    assert "not a list" in floor.run(code, {"n": "text"}, loop="n").outcome.error


def test_statistics(floor: Any) -> None:
    """Runtime, CPU time with children, peak memory with children and without what came before."""
    big = "x = None\ndef process_task(worker, task):\n    y = bytearray(150_000_000)\n    return {}\n"
    child = """
    import subprocess, sys
    def process_task(worker, task):
        subprocess.run([sys.executable, "-c", "x = bytearray(120_000_000); sum(range(4_000_000))"])
        return {}
    """
    small = "import time\ndef process_task(worker, task):\n    time.sleep(0.05)\n    return {}\n"
    stats = {name: floor.run(source).stats for name, source in (("big", big), ("small", small), ("child", child))}

    assert stats["big"].max_memory_bytes > 150_000_000
    assert stats["small"].max_memory_bytes < 100_000_000
    assert 0.05 <= stats["small"].runtime_s < 1
    assert stats["child"].max_memory_bytes > 120_000_000
    assert stats["child"].cpu_time_s > 0.02
    assert stats["small"].node == "here"
    assert stats["small"].worker == "Worker-here_0"


def test_a_forked_child_that_returns_answers_for_nothing(floor: Any) -> None:
    """A module that forgets to end its child has one outcome, and keeps its scratch until it ends itself."""
    source = """
    import os, time
    def process_task(worker, task):
        worker.scratch
        if os.fork() == 0:
            worker.log.info("in the child")
            return {"who": "child"}
        os.wait()
        return {"who": "parent", "scratch": worker.scratch.is_dir()}
    """
    end = floor.run(source)

    assert end.outcome == Succeeded({"who": "parent", "scratch": True})
    assert "in the child" in [record.text for record in floor.logs_of(end)]
    assert [each.task for each in floor.ear.ends].count(end.task) == 1
    assert floor.run(returning("{}")).outcome == Succeeded({})
