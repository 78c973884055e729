"""The judge of the campaign finds each breach when it is planted, and is content when all is well."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from campaign.evidence_files import Begun, Evidence, read_evidence
from campaign.journal_file import Ended, JournalFile, JournalPebble
from campaign.judge import exit_tells_the_truth, judge, same_results, told_once
from campaign.processes import MARK, end_all, marked, wait_until_gone

STEP = Path(__file__).parent / "campaign" / "workflow"
SUCCESS = {"type": "Succeeded", "outputs": {"value": "v"}}


def journal_of(*ended: Ended, number: int = 0) -> JournalFile:
    """Return a journal of one closed pebble with these ends."""
    pebble = JournalPebble(1, "closed", "success", "", 99.0, number, "number-0", 1, ended, ())
    return JournalFile({1: pebble}, 1, ("success",), Counter({end.task for end in ended}))


def begun(task: str, attempt: int, at: float, ended_at: float | None) -> Begun:
    """Return an attempt."""
    return Begun(task, attempt, 7, at, at, ended_at, ended_at)


GOOD = journal_of(
    Ended(3, "1/A/1", 12.0, 1, {"type": "Lost", "node": "n", "why": "w"}), Ended(4, "1/A/2", 20.0, 2, SUCCESS)
)
CUT, REPEATED, LAST = begun("1/A/1", 1, 10.0, None), begun("1/A/1", 2, 11.0, None), begun("1/A/2", 4, 15.0, 19.0)


def rules(journal: JournalFile, *attempts: Begun, violations: tuple[str, ...] = (), pebbles: int = 1) -> set[str]:
    """Return the rules that were broken."""
    return {breach.rule for breach in judge(journal, Evidence(attempts, violations), pebbles)}


def test_a_sound_run_breaks_no_rule() -> None:
    """A cut, a repeat and a loss that were handled well are no breach."""
    assert rules(GOOD, CUT, REPEATED, LAST) == set()


@pytest.mark.parametrize(
    ("change", "attempts", "rule"),
    [
        ({}, (), "success needs evidence"),
        ({}, (CUT, begun("1/A/2", 4, 15.0, None)), "success needs evidence"),
        ({}, (CUT, REPEATED, LAST, begun("1/A/1", 5, 16.0, 17.0)), "no repeat after the end"),
        ({}, (CUT, LAST, begun("1/A/2", 5, 21.0, None)), "no repeat after the end"),
        ({}, (CUT, LAST, begun("1/B/1", 1, 15.0, 16.0)), "no end is lost"),
        ({}, (CUT, replace(REPEATED, attempt=1), LAST), "attempts grow"),
        ({}, (begun("1/A/1", 1, 10.0, 16.0), LAST), "two live copies"),
    ],
)
def test_evidence_against_the_journal_is_found(change: dict[str, str], attempts: tuple[Begun, ...], rule: str) -> None:
    """Repeats after the end, lost ends, attempts that do not grow, overlaps and missing evidence are breaches."""
    assert rule in rules(GOOD, *attempts)


def test_pebbles_that_are_lost_doubled_or_open_are_found() -> None:
    """A number without a pebble, one with two, and a pebble that is not closed are breaches."""
    rule = "every pebble finishes once"
    pebble = GOOD.pebbles[1]

    assert rule in rules(GOOD, CUT, LAST, pebbles=2)
    assert rule in rules(replace(GOOD, pebbles={1: pebble, 2: replace(pebble, id=2)}), CUT, LAST)
    assert rule in rules(replace(GOOD, pebbles={1: replace(pebble, state="open")}), CUT, LAST)
    assert rule in rules(replace(GOOD, pebbles={1: replace(pebble, arrivals=2)}), CUT, LAST)


def test_tasks_that_end_twice_or_never_are_found() -> None:
    """Each task of the journal is started once and ended once."""
    twice = journal_of(*GOOD.pebbles[1].ended, GOOD.pebbles[1].ended[-1])

    assert rules(twice, CUT, REPEATED, LAST) == {"a task ends once"}
    assert rules(replace(GOOD, started=Counter({"1/A/1": 1, "1/A/2": 2})), CUT, REPEATED, LAST) == {"a task ends once"}


def test_other_results_are_found_and_honest_losses_excused() -> None:
    """Another output is a breach, except where a worker was lost twice in one node."""
    other = journal_of(Ended(3, "1/A/1", 12.0, 1, {"type": "Succeeded", "outputs": {"value": "w"}}))
    lost = Ended(3, "1/A/1", 12.0, 1, {"type": "Lost", "node": "n", "why": "w"})

    assert list(same_results(GOOD, GOOD)) == []
    assert [breach.rule for breach in same_results(other, GOOD)] == ["same results"]
    assert list(same_results(journal_of(lost, replace(lost, task="1/A/2")), GOOD)) == []


def test_a_wrong_exit_status_and_a_second_telling_are_found() -> None:
    """The exit status follows the last run's pebbles; the end of a pebble is told once over all lives."""
    line = '{"event":"pebble_finished","pebble":4}'

    assert list(exit_tells_the_truth(GOOD, 0)) == []
    assert len(list(exit_tells_the_truth(GOOD, 1))) == 1
    assert len(list(exit_tells_the_truth(replace(GOOD, last_run=("success", "error")), 0))) == 1
    assert list(told_once(line + '\n{"event":"pebble_fini')) == []
    assert len(list(told_once(f"{line}\n=== life 2\n{line}"))) == 1


def run_step(folder: Path, **args: object) -> subprocess.CompletedProcess[str]:
    """Run the campaign's step in a process of its own."""
    (folder / "locks").mkdir(exist_ok=True)
    task = {"taskid": "1/A/1", "attempt": 1, "args": {"evidence": str(folder), "number": 0, **args}}
    code = "import json, sys, threading, step; step.process_task(None, json.loads(sys.argv[1]), threading.Event())"
    environment = {**os.environ, "PYTHONPATH": str(STEP), MARK: str(folder)}
    command = [sys.executable, "-c", code, json.dumps(task)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("number", range(4))
def test_a_child_that_outlives_its_step_holds_the_lock(tmp_path: Path, number: int) -> None:
    """While any descendant of a step lives, the next attempt sees two live copies; afterwards it sees none."""
    assert run_step(tmp_path, number=number, family=True).returncode == 0
    assert marked(str(tmp_path)) != []
    run_step(tmp_path)
    assert "two live copies" in " ".join(read_evidence(tmp_path).violations)

    end_all(str(tmp_path))

    assert wait_until_gone(str(tmp_path), 5) == []
    run_step(tmp_path)
    evidence = read_evidence(tmp_path)
    assert (len(evidence.begun), len(evidence.violations)) == (3, 1)


def test_more_tasks_at_once_than_allowed_are_seen(tmp_path: Path) -> None:
    """With one slot, a second task of the node sees that the slot is taken."""
    (tmp_path / "locks").mkdir()
    holder = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    )
    command = [sys.executable, "-c", holder, str(tmp_path / "locks" / "slot-A-0")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        run_step(tmp_path, slots=1)
        process.kill()

    assert read_evidence(tmp_path).violations[0].endswith("more than 1 tasks of A at once")
