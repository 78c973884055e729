"""A case can fail: whatever a row demands, a wrong demand is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from cryocloud_core.head.settings import RunSettings
from cryocloud_core.task import TimedOut
from cryocloud_core.testing import live, play
from cryocloud_core.testing.case import Case

MODULES: dict[str, Any] = {
    "cmdline": {"inputs": {}, "outputs": {}, "input_type": "singlerun"},
    "work": {"inputs": {"x": "", "dir": ""}, "outputs": {"n": ""}},
}
CASE = Case(
    "one of everything",
    """
    {"module": "work", "name": "A", "downstreamOf": ["In"], "retry": 1, "max_parallel": 1},
    {"module": "work", "name": "B", "downstreamOf": ["A"], "args": {
        "x": {"output": "A.n"}, "dir": {"type": "tempdir", "id": "w"}}},
    {"module": "work", "name": "C", "downstreamOf": ["A"], "args": {"x": {"option": "o"}}}
    """,
    workflow={"options": {"o": {}}},
    ends={"A": ["not yet", {"n": 1}]},
    states={"A": "success", "B": "success"},
    starts=("A", "A", "B", "C"),
    args={"B": {"x": 1}},
    staged={"B": {"dir": "tempdir w"}},
    tasks={"B": {"priority": 50}},
    attempts={"A": 2},
    at_once={"A": 1},
    waits=(1,),
    notes=("again in", "option 'o' was not given"),
    cleaned=(None,),
)


def test_a_true_case_holds() -> None:
    """The case that the others spoil."""
    assert play.differences(CASE, MODULES) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"states": {"A": "error"}}, "state A is 'success', expected 'error'"),
        ({"states": {"D": "success"}}, "state D is 'nothing'"),
        ({"result": "error"}, "result of pebble 1 is 'success'"),
        ({"starts": ("A", "B", "C")}, "starts were"),
        ({"args": {"B": {"x": True}}}, "argument of B x is 1, expected True"),
        ({"args": {"D": {"x": None}}}, "argument of D x is 'nothing'"),
        ({"staged": {"B": {"dir": "tempdir v"}}}, "staging of B dir is 'tempdir w'"),
        ({"tasks": {"B": {"priority": 51}}}, "B's task priority is 50"),
        ({"attempts": {"A": 1}}, "attempts of A is 2"),
        ({"at_once": {"A": 2}}, "tasks at once of A is 1"),
        ({"waits": (2,)}, "waits were"),
        ({"notes": ("again in",)}, "warnings that nobody asked for"),
        ({"notes": ("again in", "'o' was not given", "more")}, "no warning says 'more'"),
        ({"cleaned": ()}, "cleaned were"),
        ({"problems": ("E17",)}, "problems are ()"),
        ({"says": ("did you mean",)}, "no problem says"),
        ({"refuses": "needs a value"}, "the command line gives"),
        ({"awaits": ("docker",)}, "refused are"),
        ({"ends": {"A": TimedOut("over")}}, "state A is 'timeout'"),
    ],
)
def test_a_wrong_demand_is_told(wrong: dict[str, Any], told: str) -> None:
    """Each kind of demand by itself."""
    assert any(told in line for line in play.differences(evolve(CASE, **wrong), MODULES))


@pytest.mark.system
def test_a_wrong_demand_is_told_of_a_real_run(tmp_path: Path) -> None:
    """All kinds of demands at once, in one run."""
    wrong = Case(
        "wrong",
        '{"module": "work", "name": "A", "downstreamOf": ["In"]},'
        '{"module": "work", "name": "B", "downstreamOf": ["A"], "args": {"x": {"output": "A.n"}}}',
        code={"work": 'open(here + "/left", "w").write(here)\nreturn 100, {"n": args.get("x", 0)}'},
        result="error",
        states={"A": "error", "B": "blocked"},
        starts=("A",),
        args={"B": {"x": 1}},
        attempts={"A": 2},
        at_once={"A": 0},
        overlaps={("A", "B"): True},
        exists={"$HERE/left": False},
        gone="$HERE/left",
        errors={"A": "no"},
        exit=1,
    )
    stage = live.Stage.build(wrong, tmp_path / "case", "flow", MODULES)
    ear = live.perform([stage], RunSettings(state_dir=tmp_path / "state", workers=1))
    found = "\n".join(live.differences(stage, ear))

    told = ("results", "state A", "state B", "starts", "argument of B x", "attempts of A", "tasks of A", "A and B ran")
    assert [
        part for part in (*told, "$HERE/left exists", "$HERE exists", "error of A", "exit code") if part not in found
    ] == []


def test_the_example_of_the_how_to_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The workflow and the test of the page, as they stand there."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "howto" / "test-a-workflow.md").read_text(encoding="utf-8")
    [workflow], [code] = (re.findall(rf"```{word}\n(.*?)```", page, re.DOTALL) for word in ("json", "python"))
    (tmp_path / "workflow.json").write_text(workflow)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(code, "the page", "exec"), names)
    tests = [name for name in names if name.startswith("test_")]

    for name in tests:
        names[name]()
    assert len(tests) == 2
