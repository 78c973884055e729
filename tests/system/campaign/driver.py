"""The driver: starts the run, kills it at random moments, starts it again until it ends by itself, and has it judged.

Laws: chance comes from the seed alone; pebbles are released as the kills go on, so that the run cannot end before
the last of them; a run that hangs is a breach, not a wait for ever.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

from campaign.evidence_files import Evidence, read_evidence
from campaign.journal_file import JournalFile, read_journal
from campaign.judge import Breach, exit_tells_the_truth, judge, lost_nodes, repeats, same_results, told_once
from campaign.processes import end_all, wait_until_gone
from campaign.run_process import RunProcess
from campaign.settings import HEAD, KEEPER, STOP, WORKER, Plan

#: how long the last process may take to vanish after the head's end
GONE_WITHIN_S = 3.0
#: how many of the deaths of a head are watched until all its processes are gone; the others meet the next head
WATCHED_SHARE = 0.25
#: steps that start children which outlive them
PARENTS = ("-Left", "-Right")
#: how many of the blows wait for a moment at which a worker is inside a step, and how long
BUSY_SHARE, BUSY_WITHIN_S = 0.75, 2.0


@dataclass
class Report:
    """What a campaign came to."""

    plan: Plan
    kills: Counter[str] = field(default_factory=Counter)
    lives: int = 0
    seconds: float = 0.0
    exit_status: int | None = None
    pebbles: int = 0
    tasks: int = 0
    attempts: int = 0
    repeats: int = 0
    excused: int = 0
    results: Counter[str] = field(default_factory=Counter)
    breaches: list[Breach] = field(default_factory=list)

    def breach(self, rule: str, what: str) -> None:
        """Note a broken promise."""
        self.breaches.append(Breach(rule, what))


def run_campaign(plan: Plan) -> Report:
    """Run undisturbed and disturbed, and return the judgement."""
    report = Report(plan)
    reference = RunProcess(plan, "undisturbed")
    disturbed = RunProcess(plan, "disturbed")
    try:
        undisturb(reference, report)
        begun = time.monotonic()
        if not report.breaches:
            disturb(disturbed, report)
        report.seconds = time.monotonic() - begun
        if not report.breaches:
            compare(disturbed, reference, report)
    finally:
        end_all(reference.mark)
        end_all(disturbed.mark)
    return report


def undisturb(run: RunProcess, report: Report) -> None:
    """Run once, in peace, and judge that too."""
    run.allow(report.plan.pebbles)
    run.start()
    status = run.wait(report.plan.patience_s + report.plan.pebbles)
    if status not in (0, 1):
        report.breach("an undisturbed run ends", f"status {status}:\n{run.last_words()}")
    else:
        look_around(run, report)


def disturb(run: RunProcess, report: Report) -> None:
    """Kill and start again until every disturbance is done, then until the run ends by itself."""
    chance = random.Random(report.plan.seed + 1)
    todo = list(report.plan.disturbances())
    total = max(1, len(todo))
    hit: set[str] = set()
    run.allow(0)
    run.start()
    while todo and not report.breaches:
        due = report.plan.backlog + report.plan.pebbles * (total - len(todo)) // total
        # The last pebble is held back: without it the run would be done, and end.
        run.allow(min(due, report.plan.pebbles - 1))
        await_moment(run, chance)
        if run.wait(0) is not None:
            unexpected_end(run, report)
        elif do(todo[-1], run, report, chance, hit):
            report.kills[todo.pop()] += 1
    run.allow(report.plan.pebbles)
    if not report.breaches:
        finish(run, report)
    report.lives = len(run.lives)


def await_moment(run: RunProcess, chance: random.Random) -> None:
    """Wait for the moment of the next blow: now and then while the run still starts, mostly inside of some step."""
    if chance.random() > BUSY_SHARE:
        time.sleep(chance.uniform(0.0, 0.5))
        return
    await_busy(run)
    time.sleep(chance.uniform(0.0, 0.6))
    await_busy(run)
    time.sleep(chance.choice((0.0, 0.0, 0.002, 0.01)))


def do(kind: str, run: RunProcess, report: Report, chance: random.Random, hit: set[str]) -> bool:
    """Deal one blow; False when it could not be dealt yet."""
    if kind == WORKER:
        return kill_worker(run, chance, hit)
    if kind == KEEPER:
        return kill_keeper(run, hit)
    if kind == STOP:
        run.terminate()
        status = run.wait(30)
        if status is None:
            report.breach("SIGTERM suspends", f"still there 30 s after it:\n{run.last_words()}")
        elif status not in (143, -signal.SIGTERM):
            report.breach("SIGTERM suspends", f"status {status}:\n{run.last_words()}")
    elif not (run.kill_head() if kind == HEAD else run.kill_all()):
        unexpected_end(run, report)
    elif kind == HEAD and chance.random() < WATCHED_SHARE:
        for process in wait_until_gone(run.mark, GONE_WITHIN_S):
            report.breach("all die with their head", f"pid {process.pid} lives: {process.command[:200]}")
    run.start()
    return True


def kill_worker(run: RunProcess, chance: random.Random, hit: set[str]) -> bool:
    """Kill one worker, but none in a node that lost its worker before: a second loss is an honest error."""
    await_busy(run, chance.choice((PARENTS, ("",))))
    workers = run.workers()
    chance.shuffle(workers)
    inside = inside_now(run)
    # Busy ones first: an idle worker is missed by nobody.
    for worker in sorted(workers, key=lambda one: one.pid not in inside):
        if inside.get(worker.pid) not in hit and worker.kill():
            hit |= {node for pid, node in inside_now(run).items() if pid == worker.pid}
            return True
    return False


def kill_keeper(run: RunProcess, hit: set[str]) -> bool:
    """Kill the process that keeps the workers, and so all of them, unless one is in a node that was hit before."""
    pids = {worker.pid for worker in run.workers()}
    if hit & {node for pid, node in inside_now(run).items() if pid in pids}:
        return False
    killed = any(keeper.kill() for keeper in run.keepers())
    if killed:
        hit |= {node for pid, node in inside_now(run).items() if pid in pids}
    return killed


def await_busy(run: RunProcess, nodes: tuple[str, ...] = ("",)) -> None:
    """Wait until some worker is inside a step (one of these), but not for long: there may be nothing to do."""
    deadline = time.monotonic() + BUSY_WITHIN_S
    while time.monotonic() < deadline:
        pids = {worker.pid for worker in run.workers()}
        for _ in range(20):
            if any(node.endswith(nodes) for pid, node in inside_now(run).items() if pid in pids):
                return
            time.sleep(0.001)


def inside_now(run: RunProcess) -> dict[int, str]:
    """Return the processes that have begun an attempt and not ended it, dead ones too, with pebble and node."""
    names = set(os.listdir(run.evidence))  # noqa: PTH208 - names are enough, and quick
    begun = (name for name in names if name.endswith(".begin") and f"{name[:-6]}.end" not in names)
    parts = (name.rsplit("-", 3) for name in begun)
    return {int(pid): node for node, _, pid, _ in parts}


def unexpected_end(run: RunProcess, report: Report) -> None:
    """A head ended although pebbles are still to come."""
    report.breach("a run ends when it is done", f"status {run.lives[-1][0]} too early:\n{run.last_words()}")


def finish(run: RunProcess, report: Report) -> None:
    """Wait until the run ends by itself, and look at what it leaves."""
    report.exit_status = run.wait(report.plan.patience_s + report.plan.pebbles)
    if report.exit_status is None:
        report.breach("a run ends when it is done", f"it hangs:\n{run.last_words()}")
    elif report.exit_status not in (0, 1):
        report.breach("a run ends when it is done", f"status {report.exit_status}:\n{run.last_words()}")
    else:
        look_around(run, report)


def look_around(run: RunProcess, report: Report) -> None:
    """After its end a run leaves no process and no tempdir."""
    for process in wait_until_gone(run.mark, GONE_WITHIN_S):
        report.breach("no orphans", f"pid {process.pid} lives: {process.command[:200]}")
    for path in run.left_tempdirs():
        report.breach("no tempdir is left", str(path))


def compare(disturbed: RunProcess, reference: RunProcess, report: Report) -> None:
    """Read journals and evidence of both runs and judge them."""
    peaceful = read_run(reference)
    journal, evidence = read_run(disturbed)
    report.breaches += [Breach(f"(undisturbed) {b.rule}", b.what) for b in judge(*peaceful, report.plan.pebbles)]
    report.breaches += judge(journal, evidence, report.plan.pebbles)
    report.breaches += same_results(journal, peaceful[0])
    for lives, run in ((disturbed.lives, journal), (reference.lives, peaceful[0])):
        report.breaches += exit_tells_the_truth(run, lives[-1][0])
    for life in (disturbed.output, reference.output):
        report.breaches += told_once(life.read_text(errors="replace"))
    report.pebbles = len(journal.pebbles)
    report.tasks = len(journal.started)
    report.attempts = len(evidence.begun)
    report.repeats = repeats(evidence)
    report.results = Counter(pebble.result for pebble in journal.pebbles.values())
    report.excused = sum(1 for pebble in journal.pebbles.values() if lost_nodes(pebble))


def read_run(run: RunProcess) -> tuple[JournalFile, Evidence]:
    """Return the journal and the evidence of a run."""
    return read_journal(run.state / "journal.db"), read_evidence(run.evidence)
