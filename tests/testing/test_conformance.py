"""The conformance kits: our own modules keep the contract, and a module that breaks a promise is found out."""

from __future__ import annotations

import os
import signal
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.errors import SpecError
from cryocloud_core.testing.feeds import Feed, InputConformance
from cryocloud_core.testing.inputs import RecordingHandler
from cryocloud_core.testing.processors import ProcessorConformance
from cryocloud_core.testing.surroundings import Surroundings
from cryocloud_core.testing.worker import LocalWorker
from cryocloud_modules_builtin import cmdline, dirwatcher, noop


class TestNoop(ProcessorConformance):
    """noop keeps what every processor keeps."""

    bad_args = (({"time": "soon"}, "time"), ({"time": -1}, "time"))
    long_args = {"time": 5}  # noqa: RUF012 -- a ClassVar of the kit

    @pytest.fixture
    def module(self) -> types.ModuleType:
        """Give noop."""
        return noop

    @pytest.fixture
    def good_args(self) -> dict[str, Any]:
        """Give arguments that take no time."""
        return {"time": 0, "ignored": "x"}


class Command:
    """What `cmdline` waits for: nothing."""

    def __init__(self) -> None:
        self.args: dict[str, Any] = {}

    def arrive(self, name: str) -> None:
        """Do nothing: its one pebble is always there."""

    def vanish(self, name: str) -> None:
        """Do nothing."""


class TestCmdline(InputConformance):
    """cmdline keeps what every input keeps."""

    has_keys = False

    @pytest.fixture
    def module(self) -> types.ModuleType:
        """Give cmdline."""
        return cmdline

    @pytest.fixture
    def feed(self) -> Feed:
        """Give nothing to wait for."""
        return Command()


class FilesIn:
    """Files that are written elsewhere and renamed into a watched directory."""

    def __init__(self, root: Path) -> None:
        self.watched = root / "watched"
        self.watched.mkdir()
        self.args: dict[str, Any] = {"src": str(self.watched), "stabilize": 0.05}

    def arrive(self, name: str) -> None:
        """Rename a file in."""
        part = self.watched.with_name(f"part-{name}")
        part.write_text(name)
        part.rename(self.watched / name)

    def vanish(self, name: str) -> None:
        """Remove the file."""
        (self.watched / name).unlink()


class TestDirwatcher(InputConformance):
    """dirwatcher keeps what every input keeps."""

    bad_args = (({}, "src"), ({"src": "/nowhere/at/all"}, "src"))

    @pytest.fixture
    def module(self) -> types.ModuleType:
        """Give dirwatcher."""
        return dirwatcher

    @pytest.fixture
    def feed(self, tmp_path: Path) -> Feed:
        """Give files."""
        return FilesIn(tmp_path)


DEFINITION = {"description": "d", "inputs": {"src": "s"}, "outputs": {"dst": "d"}}


def processor(process_task: Callable[..., Any], **definition: Any) -> Any:
    """Return a processor module made of a function."""
    made = types.ModuleType("bad")
    made.__dict__.update(ccmodule={**DEFINITION, **definition}, process_task=process_task)
    return made


@pytest.fixture
def worker() -> Iterator[LocalWorker]:
    """Give a worker."""
    with LocalWorker() as made:
        yield made


class Kit(ProcessorConformance):
    """The kit, to be called test by test."""

    __test__ = False
    bad_args = (({}, "src"),)
    long_args = {"src": "x"}  # noqa: RUF012 -- a ClassVar of the kit


def ignores_cancel(worker: Any, task: Any, cancel_event: Any) -> dict[str, Any]:
    """Work for longer than a cancelled task may."""
    time.sleep(3)
    return {}


def works_once(worker: Any, task: Any) -> dict[str, Any]:
    """Fail where the first attempt had done the work."""
    if task["attempt"] > 1:
        raise FileExistsError("dst is there")
    return {}


@pytest.mark.parametrize(
    ("process_task", "test", "told"),
    [
        (lambda w, t: None, "test_it_returns_its_declared_outputs", r"must return \(progress, return value\)"),
        (
            lambda w, t: (100, {"other": 1}),
            "test_it_returns_its_declared_outputs",
            r"declare in `outputs`: \['other'\]",
        ),
        (lambda w, t: (100, {"dst": {1}}), "test_it_returns_its_declared_outputs", "dst"),
        (lambda w, t: (99, {}), "test_it_returns_its_declared_outputs", "progress 99, expected 100"),
        (lambda w, t: {"dst": t["args"]["src"].upper()}, "test_null_means_not_given", "NoneType"),
        (works_once, "test_a_second_attempt_does_no_harm", "dst is there"),
        (lambda w, t: {}, "test_wrong_arguments_are_named", "DID NOT RAISE"),
        (lambda w, t: 1 / 0, "test_wrong_arguments_are_named", "Regex pattern did not match"),
        (ignores_cancel, "test_it_ends_when_it_is_cancelled", "look at cancel_event"),
        (lambda w, t, c: {}, "test_it_ends_when_it_is_cancelled", "must keep it busy"),
        (lambda w: {}, "test_it_can_be_called_as_a_worker_calls_it", "too many positional arguments"),
        (lambda w, t, c, d: {}, "test_it_can_be_called_as_a_worker_calls_it", "missing a required argument"),
    ],
)
def test_a_processor_that_breaks_a_promise_is_found_out(
    process_task: Callable[..., Any], test: str, told: str, worker: LocalWorker
) -> None:
    """The kit's test of that promise fails and says why."""
    run = getattr(Kit(), test)
    given = {"module": processor(process_task), "good_args": {}, "worker": worker}
    wanted = {name: given[name] for name in given if name in run.__code__.co_varnames[: run.__code__.co_argcount]}

    with pytest.raises((AssertionError, Exception, pytest.fail.Exception), match=told):
        run(**wanted)


def test_a_processor_must_be_described_and_readable(tmp_path: Path) -> None:
    """A definition built by code, or without words, fails the kit."""
    path = tmp_path / "wind.py"
    path.write_text("ccmodule = dict(description='d')\ndef process_task(w, t): pass\n")
    module = processor(lambda w, t: {})
    module.__file__ = str(path)

    with pytest.raises(SpecError, match="the call dict"):
        Kit().test_its_definition_is_read_without_importing_it(module)
    path.write_text("ccmodule = {'description': 'other'}\n")
    with pytest.raises(AssertionError, match="must show what the running module declares"):
        Kit().test_its_definition_is_read_without_importing_it(module)
    with pytest.raises(AssertionError, match="describe each input"):
        Kit().test_it_is_described(processor(lambda w, t: {}, inputs={"src": ""}))
    with pytest.raises(AssertionError, match="write a description"):
        Kit().test_it_is_described(processor(lambda w, t: {}, description=""))


def _change_directory(directory: str) -> Callable[[], None]:
    before = os.getcwd()  # noqa: PTH109 -- what chdir is undone with
    os.chdir(directory)
    return lambda: os.chdir(before)


def _change_environment(_: str) -> Callable[[], None]:
    os.environ["CC_TEST_LEFT"] = "1"
    return lambda: os.environ.pop("CC_TEST_LEFT") and None


def _change_umask(_: str) -> Callable[[], None]:
    before = os.umask(0o077)
    os.umask(0o027 if before == 0o077 else 0o077)
    return lambda: os.umask(before) and None


def _change_handler(_: str) -> Callable[[], None]:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    return lambda: signal.signal(signal.SIGUSR1, before) and None


def _leave_thread(_: str) -> Callable[[], None]:
    event = threading.Event()
    thread = threading.Thread(target=event.wait, name="left")
    thread.start()
    return lambda: event.set() or thread.join()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_change_directory, "the working directory is "),
        (_change_environment, "environment variables differ: CC_TEST_LEFT"),
        (_change_umask, "the umask is "),
        (_change_handler, "the handler of SIGUSR1 differs"),
        (_leave_thread, "thread left is alive"),
    ],
)
def test_what_a_module_leaves_behind_is_found(
    change: Callable[[str], Callable[[], None]], told: str, tmp_path: Path, worker: LocalWorker
) -> None:
    """Each kind of pollution is told in words."""
    undo: list[Callable[[], None]] = []

    def process_task(worker: Any, task: Any) -> dict[str, Any]:
        undo.append(change(str(tmp_path)))
        return {}

    try:
        with pytest.raises(AssertionError, match=told):
            Kit().test_it_leaves_the_process_as_it_was(processor(process_task), {}, worker)
    finally:
        undo[0]()


def test_what_ends_on_its_own_is_given_a_moment() -> None:
    """A thread that is just ending is no pollution."""
    before = Surroundings.now()
    threading.Timer(0.1, lambda: None).start()

    assert before.left_changed() == []


class InputKit(InputConformance):
    """The kit, to be called test by test."""

    __test__ = False
    settle_s = 0.05


def watching(**behaviour: Any) -> Any:
    """Return an input that lists a directory in a loop and breaks the contract as told."""

    def start(handler: RecordingHandler, args: dict[str, Any], stop_event: threading.Event) -> None:
        seen = set() if behaviour.get("forgets_all") else set(handler.known())
        while not (stop_event.wait(0.01) and not behaviour.get("ignores_stop")):
            names = set(os.listdir(args["src"]))  # noqa: PTH208 -- names are wanted
            for name in sorted(names - seen):
                key = f"{time.time_ns()}" if behaviour.get("random_keys") else name
                pebble = handler.onAdd({"path": name}, key=key)
                if not behaviour.get("never_waits"):
                    handler.accepted(pebble)
            if not behaviour.get("keeps_keys"):
                handler.forget(seen - names)
            seen = names if not behaviour.get("repeats") else set()
            if (handler.once and not behaviour.get("ignores_once")) or behaviour.get("returns"):
                return
            if behaviour.get("ignores_stop") and stop_event.is_set():
                time.sleep(2.5)
                return

    made = types.ModuleType("watching")
    made.__dict__.update(
        ccmodule={"description": "d", "input_type": "permanent", "outputs": {"path": "p"}, **behaviour.get("spec", {})},
        start=start,
    )
    return made


@pytest.mark.parametrize(
    ("behaviour", "test", "told"),
    [
        ({"spec": {"outputs": {}}}, "test_arrivals_carry_declared_outputs", r"declare in `outputs`: \['path'\]"),
        ({"never_waits": True}, "test_it_waits_until_arrivals_are_on_disk", "call handler.accepted"),
        ({"ignores_stop": True}, "test_it_stops_within_a_second", "look at stop_event"),
        ({"repeats": True, "random_keys": True}, "test_one_thing_arrives_once", "one thing arrived, reported were"),
        ({"random_keys": True}, "test_a_restart_reports_only_what_is_new", "must be the same after a restart"),
        ({"ignores_once": True}, "test_with_once_it_reports_what_is_there_and_ends", "had not returned"),
        ({"returns": True}, "test_an_input_that_ends_by_itself_says_so", "declare input_type `singlerun`"),
        ({"keeps_keys": True}, "test_keys_of_what_is_gone_are_forgotten", "call handler.forget"),
    ],
)
def test_an_input_that_breaks_a_promise_is_found_out(
    behaviour: dict[str, Any], test: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kit's test of that promise fails and says why."""
    monkeypatch.setattr("cryocloud_core.testing.feeds.PATIENCE_S", 0.5 if "stop" not in test else 5.0)

    with pytest.raises(AssertionError, match=told):
        getattr(InputKit(), test)(watching(**behaviour), FilesIn(tmp_path))


@pytest.mark.parametrize("test", [name for name in dir(InputConformance) if name.startswith("test_")])
def test_an_input_that_keeps_every_promise_passes(test: str, tmp_path: Path) -> None:
    """The same input without a fault passes each test."""
    kit = InputKit()
    kit.__class__ = type("Passing", (InputKit,), {"is_read_from_source": False})
    given = {"module": watching(), "feed": FilesIn(tmp_path)}
    run = getattr(kit, test)

    run(**{name: given[name] for name in given if name in run.__code__.co_varnames[: run.__code__.co_argcount]})
