"""Child programs: their output, their limits, and that nothing of them is left alive."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from cryocloud_core.errors import TaskError
from cryocloud_core.sdk.limits import Stopped
from cryocloud_core.sdk.lines import CUT
from cryocloud_core.sdk.program import run_program

STUBBORN = "trap '' TERM; echo up; while :; do sleep 0.05; done"


def alive(pid: int) -> bool:
    """Return True while a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_output_is_streamed_line_by_line() -> None:
    """Both streams arrive, in order, undecodable bytes replaced, and the exit code is told."""
    out: list[str] = []
    err: list[str] = []

    done = run_program(
        ["sh", "-c", r"printf 'one\ntwo\377\nthree'; echo bad >&2; exit 3"],
        on_line=out.append,
        on_error_line=err.append,
    )
    assert out == ["one", "two�", "three"]
    assert err == ["bad"]
    assert (done.returncode, done.stderr_tail, done.stopped) == (3, ("bad",), None)
    assert done.describe() == "ended with exit code 3"


def test_nothing_is_expanded_by_a_shell() -> None:
    """Arguments arrive as they are."""
    out: list[str] = []

    run_program(["printf", "%s\n", "$HOME; `id` *"], on_line=out.append)
    assert out == ["$HOME; `id` *"]


def test_stdin_larger_than_a_pipe_is_fed_while_output_is_read() -> None:
    """Neither side waits for the other for ever."""
    sizes: list[int] = []
    text = b"x" * 1000 + b"\n"

    done = run_program(["cat"], stdin=text * 2000, on_line=lambda line: sizes.append(len(line)))
    assert done.returncode == 0
    assert sizes == [1000] * 2000


def test_a_program_that_does_not_read_its_stdin_is_no_error() -> None:
    """A closed pipe ends the feeding, not the run."""
    assert run_program(["true"], stdin=b"x" * 1_000_000).returncode == 0


def test_environment_and_directory_are_the_childs(tmp_path: Path) -> None:
    """`env` is added to ours, `cwd` is where it runs."""
    out: list[str] = []

    run_program(
        ["sh", "-c", "echo $EXTRA; pwd; echo ${PATH:+path}"], cwd=tmp_path, env={"EXTRA": "1"}, on_line=out.append
    )
    assert out == ["1", str(tmp_path), "path"]


@pytest.mark.parametrize("argv", [["no-such-program-here"], [], ["a\0b"]])
def test_a_program_that_cannot_start_is_a_clear_error(argv: list[str]) -> None:
    """The error names the program."""
    with pytest.raises(TaskError, match="cannot start"):
        run_program(argv)


def test_cancel_asks_first_then_kills_the_whole_group() -> None:
    """A shell that ignores SIGTERM and its children are gone after the grace."""
    cancel = threading.Event()
    pids: list[int] = []

    def heard(line: str) -> None:
        pids.append(int(line))
        cancel.set()

    script = "trap '' TERM; (trap '' TERM; sleep 60) & echo $!; wait"
    done = run_program(["sh", "-c", script], cancel_event=cancel, on_line=heard, grace_s=0.2)
    assert done.stopped is Stopped.CANCELLED
    assert done.returncode == -9
    assert not alive(pids[0])


def test_a_program_that_obeys_the_cancel_ends_by_itself() -> None:
    """SIGTERM is asked first, so a clean-up can run."""
    cancel = threading.Event()
    out: list[str] = []

    def heard(line: str) -> None:
        out.append(line)
        cancel.set()

    script = "trap 'echo cleaned; exit 7' TERM; echo up; while :; do sleep 0.02; done"
    done = run_program(["sh", "-c", script], cancel_event=cancel, on_line=heard)
    assert (done.returncode, out) == (7, ["up", "cleaned"])


@pytest.mark.parametrize(
    ("limit", "stopped"), [({"max_time_s": 0.2}, Stopped.TIME), ({"max_idle_s": 0.2}, Stopped.IDLE)]
)
def test_limits_of_time(limit: dict[str, float], stopped: Stopped) -> None:
    """The reason is told, and the program is killed when it ignores SIGTERM."""
    began = time.monotonic()

    done = run_program(["sh", "-c", STUBBORN], grace_s=0.1, **limit)  # type: ignore[arg-type]
    assert done.stopped is stopped
    assert time.monotonic() - began < 5


def test_the_limit_of_memory() -> None:
    """A program that grows past its limit is stopped."""
    code = "import time; x = bytearray(200_000_000); x[::4096] = b'1' * len(x[::4096]); time.sleep(30)"

    done = run_program([sys.executable, "-c", code], max_memory_bytes=100_000_000, grace_s=0.1)
    assert done.stopped is Stopped.MEMORY


def test_what_the_program_leaves_in_its_group_is_killed() -> None:
    """A background child neither keeps the call waiting nor survives it."""
    pids: list[int] = []
    began = time.monotonic()

    done = run_program(["sh", "-c", "sleep 60 & echo $!"], on_line=lambda line: pids.append(int(line)))
    assert done.returncode == 0
    assert not alive(pids[0])
    assert time.monotonic() - began < 3


def test_a_grandchild_outside_the_group_that_keeps_the_pipe_does_not_hold_the_call() -> None:
    """After a short drain the call returns; the stray is its finder's to kill."""
    pids: list[int] = []
    began = time.monotonic()

    run_program(["sh", "-c", "setsid sleep 60 & sleep 0.1; echo $!"], on_line=lambda line: pids.append(int(line)))
    assert time.monotonic() - began < 3
    os.kill(pids[0], 9)


def test_an_exception_of_a_callback_ends_the_program() -> None:
    """The error is the caller's, and no process stays."""
    pids: list[int] = []

    def refuse(line: str) -> None:
        pids.append(int(line))
        raise ValueError(line)

    with pytest.raises(ValueError, match=r"\d+"):
        run_program(["sh", "-c", "echo $$; sleep 60"], on_line=refuse)
    assert not alive(pids[0])


def test_statistics_are_the_programs_own() -> None:
    """CPU time and peak memory are measured."""
    done = run_program([sys.executable, "-c", "x = bytearray(50_000_000); sum(range(3_000_000))"])

    assert done.cpu_time_s > 0.01
    assert done.max_memory_bytes > 40_000_000


def test_a_line_without_end_is_cut() -> None:
    """A program that writes a megabyte without a line end costs no megabyte."""
    out: list[str] = []

    run_program(["sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x"], on_line=out.append)
    assert len(out) == 1
    assert out[0].endswith(CUT)
    assert len(out[0]) < 70_000


def test_a_signal_is_told_by_name() -> None:
    """`describe` reads as half a sentence."""
    assert run_program(["sh", "-c", "kill -SEGV $$"]).describe() == "was killed by SIGSEGV"
