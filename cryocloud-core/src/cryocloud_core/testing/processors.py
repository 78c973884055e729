"""The conformance kit of processors: subclass it, give the fixtures, inherit the tests.

Laws: each test checks one promise of the contract and says in its failure what to change; a promise that does
not apply is switched off by a class attribute with a name, never by deleting a test.
"""

from __future__ import annotations

import inspect
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from attrs import frozen

from cryocloud_core.graph.spec import ModuleSpec, spec_of
from cryocloud_core.modules.read import read_source
from cryocloud_core.testing.surroundings import Surroundings
from cryocloud_core.testing.worker import LocalWorker, task_of
from cryocloud_core.worker.contract import CancelFlag
from cryocloud_core.worker.module import takes_cancel

#: A module polls its cancel event at least once a second; the rest is for a busy machine.
CANCEL_S = 1.0
SLACK_S = 1.0


def spec_in(module: Any) -> ModuleSpec:
    """Return the spec that an imported module declares, as a map or as a ModuleSpec."""
    written = module.ccmodule
    name = str(module.__name__).rpartition(".")[2]
    is_input = callable(getattr(module, "start", None))
    return written if isinstance(written, ModuleSpec) else spec_of(name, written, is_input=is_input)


class ProcessorConformance:
    """What every processor keeps. Give `module` and `good_args`, and where they exist `bad_args` and `long_args`.

    ::

        class TestWind(ProcessorConformance):
            @pytest.fixture
            def module(self):
                return wind

            @pytest.fixture
            def good_args(self, tmp_path):
                return {"src": str(make_product(tmp_path))}

            bad_args = (({}, "src"), ({"src": 7}, "src"))
    """

    #: wrong arguments, each with the name that the error must tell
    bad_args: ClassVar[tuple[tuple[dict[str, Any], str], ...]] = ()
    #: arguments that keep it busy for at least five seconds; None when there are none
    long_args: ClassVar[dict[str, Any] | None] = None
    #: its outputs depend on its arguments, so they cannot all be declared
    has_undeclared_outputs: ClassVar[bool] = False
    #: `ccmodule` stands in its source as constants; otherwise it must be offered with `spec=`
    is_read_from_source: ClassVar[bool] = True

    @pytest.fixture
    def module(self) -> ModuleType:
        """Return the module under test."""
        raise NotImplementedError("give a fixture `module` that returns the module under test")

    @pytest.fixture
    def good_args(self) -> dict[str, Any]:
        """Return arguments under which it succeeds, made anew for each test."""
        raise NotImplementedError("give a fixture `good_args` that returns arguments under which it succeeds")

    @pytest.fixture
    def worker(self, tmp_path: Path) -> Any:
        """Give the worker that the module is called with."""
        tempdir = tmp_path / "worker-tempdir"
        tempdir.mkdir()
        with LocalWorker({"tempdir": str(tempdir)}) as made:
            yield made

    def test_its_definition_is_read_without_importing_it(self, module: ModuleType) -> None:
        """A head lists and checks the module from its source alone."""
        spec = spec_in(module)
        assert spec.input_type is None, "a processor has neither `start` nor `input_type`"
        if self.is_read_from_source:
            path = str(module.__file__)
            read = read_source(Path(path).read_bytes(), path)
            assert read.definition is not None, "write `ccmodule = {...}` into the module"
            assert spec_of(spec.name, read.definition) == spec, "the source must show what the running module declares"

    def test_it_is_described(self, module: ModuleType) -> None:
        """Whoever lists modules reads what it does, takes and gives."""
        spec = spec_in(module)
        assert spec.description, "write a description"
        assert spec.inputs is not None, "declare `inputs`, empty if there are none; without it nothing is checked"
        assert all(spec.inputs.values()), "describe each input"
        assert all((spec.outputs or {}).values()), "describe each output"

    def test_it_can_be_called_as_a_worker_calls_it(self, module: ModuleType) -> None:
        """`process_task(worker, task)` or `process_task(worker, task, cancel_event)`, by position."""
        inspect.signature(module.process_task).bind(object(), {"args": {}}, *_event_for(module))

    def test_good_arguments_are_declared(self, module: ModuleType, good_args: dict[str, Any]) -> None:
        """A workflow may only give inputs that the module declares."""
        undeclared = set(good_args) - set(spec_in(module).inputs or good_args)
        assert not undeclared, f"declare in `inputs`: {sorted(undeclared)}"

    def test_it_returns_its_declared_outputs(
        self, module: ModuleType, good_args: dict[str, Any], worker: LocalWorker
    ) -> None:
        """`(100, outputs)` or a map of outputs that JSON can say, every key declared."""
        outputs = worker.run(module, good_args)
        undeclared = set(outputs) - set(spec_in(module).outputs or {}) - {"error"}
        assert self.has_undeclared_outputs or not undeclared, f"declare in `outputs`: {sorted(undeclared)}"

    def test_null_means_not_given(self, module: ModuleType, good_args: dict[str, Any], worker: LocalWorker) -> None:
        """An argument that a workflow could not resolve arrives as null and means what leaving it out means."""
        nulls = dict.fromkeys(spec_in(module).inputs or ())
        worker.run(module, {**nulls, **good_args})

    def test_it_leaves_the_process_as_it_was(
        self, module: ModuleType, good_args: dict[str, Any], worker: LocalWorker
    ) -> None:
        """Directory, environment, umask, signal handlers and sys.path; no child or thread goes on."""
        before = Surroundings.now()
        worker.run(module, good_args)
        left = before.left_changed()
        assert not left, "; ".join(left)

    def test_a_second_attempt_does_no_harm(
        self, module: ModuleType, good_args: dict[str, Any], worker: LocalWorker
    ) -> None:
        """After a crash the same task comes again with `attempt` 2, though the first had done its work."""
        first = worker.run(module, good_args, attempt=1)
        second = worker.run(module, good_args, attempt=2)
        assert set(second) == set(first), f"{sorted(first)} are the outputs at first, {sorted(second)} the second time"

    def test_wrong_arguments_are_named(self, module: ModuleType, worker: LocalWorker) -> None:
        """The error says which argument is wrong."""
        for args, name in self.bad_args:
            with pytest.raises(Exception, match=name):
                module.process_task(worker, task_of(module, args), *_event_for(module))

    def test_it_ends_when_it_is_cancelled(self, module: ModuleType, worker: LocalWorker) -> None:
        """Within a second of the cancel event, by returning or raising."""
        if self.long_args is None:
            pytest.skip("no `long_args`: nothing keeps it busy")
        if not takes_cancel(module.process_task):
            pytest.skip("takes no cancel event: a worker ends it by killing its process")
        ended = _cancelled_after(module, worker, self.long_args, 0.3)
        assert ended.was_busy, "`long_args` must keep it busy for at least five seconds"
        assert ended.after_s < CANCEL_S + SLACK_S, f"look at cancel_event at least once a second ({ended.how})"


def _event_for(module: Any) -> tuple[threading.Event, ...]:
    return (CancelFlag(),) if takes_cancel(module.process_task) else ()


@frozen
class _Ended:
    """How a cancelled task ended: whether it ran until then, how long after the event, and in what."""

    was_busy: bool
    after_s: float
    how: str


def _cancelled_after(module: Any, worker: LocalWorker, args: dict[str, Any], wait_s: float) -> _Ended:
    """Call the module here, as a worker does, and set its cancel event from a timer."""
    cancel, told_at = CancelFlag(), []

    def tell() -> None:
        told_at.append(time.monotonic())
        cancel.set()

    timer = threading.Timer(wait_s, tell)
    timer.start()
    try:
        how = f"returned {module.process_task(worker, task_of(module, args), cancel)!r}"
    except Exception as error:  # noqa: BLE001 -- a cancelled task may end in any error
        how = f"raised {error!r}"
    ended_at = time.monotonic()
    timer.cancel()
    timer.join()
    return _Ended(bool(told_at), ended_at - told_at[0] if told_at else 0.0, how)
