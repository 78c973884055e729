"""What a module may do and return, and what the head hears of it: real workers run every case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.task import (
    Failed,
    Outcome,
    Succeeded,
)


def returning(expression: str) -> str:
    """Return the source of a module that returns an expression."""
    return f"import pathlib\ndef process_task(worker, task):\n    return {expression}\n"


@pytest.mark.parametrize(
    ("expression", "outcome"),
    [
        ("100, {'a': 1}", Succeeded({"a": 1})),
        ("100.0, None", Succeeded({})),
        ("{'p': pathlib.Path('/x'), 't': (1, [2])}", Succeeded({"p": "/x", "t": [1, [2]]})),
        ("100, 'text'", Succeeded({"result": "text"})),
        ("50, {'a': 1}", Failed("returned progress 50, expected 100", {"a": 1})),
        ("100, {'error': 'mild'}", Succeeded({"error": "mild"})),
    ],
)
def test_return_values(expression: str, outcome: Outcome, floor: Any) -> None:
    """The pair, the bare map, the wrapped value, the unfinished progress."""
    assert floor.run(returning(expression)).outcome == outcome


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("None", ["must return (progress, return value)", "NoneType"]),
        ("'100', {}", ["progress must be a number"]),
        ("100, {'a': {'b': {1, 2}}}", ["'a.b'", "set", "sorted list"]),
        ("100, {'a': float('nan')}", ["'a'", "nan"]),
        ("100, {'a': 'x' * 17_000_000}", ["return value too large", "write a file"]),
    ],
)
def test_nonsense_is_told_with_what_to_do(expression: str, words: list[str], floor: Any) -> None:
    """The error names the key and the remedy."""
    outcome = floor.run(returning(expression)).outcome

    assert isinstance(outcome, Failed)
    for word in words:
        assert word in outcome.error


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("raise ValueError('it broke')", "it broke"),
        ("raise KeyError", "KeyError"),
        ("{}['VX']", "KeyError: 'VX'"),
        ("raise SystemExit(3)", "module raised SystemExit: 3"),
        ("raise KeyboardInterrupt", "module raised KeyboardInterrupt"),
        ("import sys; sys.exit()", "module raised SystemExit"),
    ],
)
def test_whatever_a_module_raises_is_its_tasks_error(statement: str, error: str, floor: Any) -> None:
    """The traceback is in the log at ERROR and with the outcome; the worker goes on."""
    end = floor.run(f"def process_task(worker, task):\n    {statement}\n")

    assert isinstance(end.outcome, Failed)
    assert end.outcome.error == error
    assert not end.outcome.permanent
    assert "process_task" in end.outcome.trace
    logged = [record for record in floor.logs_of(end) if record.level == "ERROR"]
    assert any("Traceback" in record.text for record in logged)


def test_the_task_a_module_sees(floor: Any) -> None:
    """All keys of the contract, and nothing of ours among the arguments."""
    code = floor.module("def process_task(worker, task, *more):\n    return {'task': task, 'more': len(more)}\n")
    task = floor.submit(floor.task(code, {"x": [1, {"y": None}]}, attempt=3, priority=70))

    outputs = floor.end_of(task).outcome.outputs
    seen = outputs["task"]
    assert seen.pop("prepare_time") >= 0
    assert seen == {
        "args": {"x": [1, {"y": None}]},
        "attempt": 3,
        "id": task.id,
        "itemid": task.pebble,
        "module": "m",
        "modulepath": code.path,
        "priority": 70,
        "runname": "flow",
        "taskid": task.id,
        "type": "normal",
        "workdir": None,
    }
    assert outputs["more"] == 1


@pytest.mark.parametrize(
    ("parameters", "expression", "expected"),
    [
        ("worker, task", "None", None),
        ("worker, task, anything", "[anything.is_set(), anything.isSet()]", [False, False]),
        ("worker, task, stop=None", "stop.is_set()", False),
        ("*args", "len(args)", 3),
        ("worker, task, *, cancel_event=None", "cancel_event", None),
    ],
)
def test_the_third_positional_parameter_decides(parameters: str, expression: str, expected: Any, floor: Any) -> None:
    """Under any name, with or without a default."""
    end = floor.run(f"def process_task({parameters}):\n    return {{'got': {expression}}}\n")
    assert end.outcome == Succeeded({"got": expected})


def test_what_a_worker_offers(floor: Any, tmp_path: Path) -> None:
    """Config, status, scratch, arguments, the stop event."""
    source = """
    def process_task(worker, task):
        worker.status["shape"] = "round"
        worker.status["count"].inc(); worker.status["count"].inc(2); worker.status["count"].dec()
        worker.status.new("fresh", 7)
        worker.progress(40)
        path = worker.scratch / "file"
        path.write_text("x")
        try:
            worker.get_arg(task, "none")
        except Exception as error:
            missing = str(error)
        return {"tempdir": worker.cfg["tempdir"], "none": worker.cfg["none"], "scratch": str(path),
                "a": worker.get_arg(task, "a"), "d": worker.get_arg(task, "b", 5), "missing": missing,
                "count": worker.status["count"].get_value(), "stop": worker._stop_event.is_set()}
    """
    end = floor.run(source, {"a": 0})

    outputs = end.outcome.outputs
    assert outputs["tempdir"] == floor.settings.worker_config["tempdir"]
    assert (outputs["none"], outputs["a"], outputs["d"], outputs["count"], outputs["stop"]) == (None, 0, 5, 2, False)
    assert "argument 'none' is missing" in outputs["missing"]
    assert not Path(outputs["scratch"]).parent.exists()
    values = {key: value for task, _, changed in floor.ear.values if task == end.task for key, value in changed.items()}
    assert values == {"shape": "round", "count": 2, "fresh": 7, "progress": 40.0}


def test_log_lines_carry_whose_they_are(floor: Any) -> None:
    """The worker's logger, the module's own, and warnings; below the task's level nothing."""
    source = """
    import logging, warnings
    def process_task(worker, task):
        worker.log.info("from %s", "worker")
        logging.getLogger("own").warning("from own")
        warnings.warn("careful")
        worker.log.debug("too fine")
        worker.log.info("wrong %d", "format")
        try:
            1 / 0
        except ZeroDivisionError:
            worker.log.exception("with trace")
    """
    task = floor.submit(floor.task(source + "        return {}\n", node="Wind"))
    records = floor.logs_of(floor.end_of(task))

    texts = [record.text for record in records]
    assert texts[:2] == ["from worker", "from own"]
    assert "careful" in texts[2]
    assert "wrong %d" in texts[3]
    assert "ZeroDivisionError" in texts[4]
    assert len(texts) == 5
    assert {(r.pebble, r.node, r.task, r.workflow, r.worker) for r in records} == {
        (task.pebble, "Wind", task.id, "flow", "Worker-here_0")
    }
    assert (records[0].level, records[0].logger, records[0].function) == ("INFO", "cryocloud.m", "process_task")
    assert (records[1].level, records[1].logger) == ("WARNING", "own")


def test_output_of_the_module_and_its_children_becomes_log_lines(floor: Any) -> None:
    """print, C code's stdout, a child's stderr, undecodable bytes, a line without end, a very long one."""
    source = r"""
    import ctypes, os, subprocess, sys
    def process_task(worker, task):
        print("printed")
        ctypes.CDLL(None).puts(b"from C")
        os.write(1, b"bad \xff byte\n")
        subprocess.run(["sh", "-c", "echo child; echo oops >&2"])
        print("x" * 100_000)
        print("Traceback (most recent call last):", file=sys.stderr)
        print("no end", end="")
        return {}
    """
    end = floor.run(source)

    records = floor.logs_of(end)
    lines = {record.text: (record.level, record.logger) for record in records}
    assert lines["printed"] == ("INFO", "stdout")
    assert lines["from C"] == ("INFO", "stdout")
    assert lines["bad � byte"] == ("INFO", "stdout")
    assert lines["child"] == ("INFO", "stdout")
    assert lines["oops"] == ("INFO", "stderr")
    assert lines["Traceback (most recent call last):"] == ("ERROR", "stderr")
    assert lines["no end"] == ("INFO", "stdout")
    assert any(text.startswith("xxx") and len(text) < 70_000 for text in lines)


def test_much_output_does_not_block_and_all_of_it_arrives(floor: Any) -> None:
    """More than any pipe holds, within one short task."""
    end = floor.run(
        "def process_task(worker, task):\n    for n in range(60_000):\n        print('line', n)\n    return {}\n"
    )

    assert end.outcome == Succeeded({})
    assert [r.text for r in floor.logs_of(end)] == [f"line {n}" for n in range(60_000)]


def test_what_a_task_changes_in_the_process_is_put_back(floor: Any, tmp_path: Path) -> None:
    """Directory, environment, umask, signal handlers, alarms, standard streams, descriptor 1."""
    spoil = """
    import os, signal, sys, io
    def process_task(worker, task):
        os.chdir("/"); os.environ["SPOILED"] = "1"; os.environ.pop("PATH", None); os.umask(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.setitimer(signal.ITIMER_REAL, 0.2)
        sys.stdout = io.StringIO(); os.close(1); sys.path.insert(0, "/spoiled")
        return {}
    """
    look = """
    import os, signal, sys, time
    def process_task(worker, task):
        print("seen")
        time.sleep(0.4)
        mask = os.umask(0o022)
        return {"cwd": os.getcwd(), "env": os.environ.get("SPOILED"), "path": "PATH" in os.environ, "umask": mask,
                "term": str(signal.getsignal(signal.SIGTERM)), "sys": "/spoiled" in sys.path}
    """
    before = floor.run(look)
    assert floor.run(spoil).outcome == Succeeded({})
    after = floor.run(look)

    assert after.outcome == before.outcome
    assert [record.text for record in floor.logs_of(after)] == ["seen"]


def test_what_importing_a_module_set_up_stays(floor: Any) -> None:
    """It is imported once; its environment must be there at the second call too."""
    code = floor.module("""
    import os
    os.environ["SET_AT_IMPORT"] = "yes"
    def process_task(worker, task):
        return {"set": os.environ.get("SET_AT_IMPORT")}
    """)
    assert [floor.run(code).outcome for _ in range(2)] == [Succeeded({"set": "yes"})] * 2


def test_the_working_directory(floor: Any, tmp_path: Path) -> None:
    """The module runs in it; a missing one is the task's error."""
    source = "import os\ndef process_task(worker, task):\n    return {'cwd': os.getcwd()}\n"

    assert floor.run(source, workdir=str(tmp_path)).outcome == Succeeded({"cwd": str(tmp_path)})
    missing = floor.run(source, workdir=str(tmp_path / "none")).outcome
    assert missing.error == f"Working directory '{tmp_path / 'none'}' does not exist"
