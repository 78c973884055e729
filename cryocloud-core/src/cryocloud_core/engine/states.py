"""The states of a node for one pebble, and the table of their transitions.

Laws: a transition that is not in the table does not exist; every node of a scope ends in exactly one of `FINAL_STATES`.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class _Member:
    """A member is one of a kind; the hash of its name, which Enum takes, costs more than the lookup it is for."""

    __slots__ = ()
    __hash__ = object.__hash__


class State(_Member, Enum):
    """Where a node stands for one pebble."""

    # Enum's own hash is a function of Python, and every transition looks up two members.
    #: some parent has not settled yet
    WAITING = "waiting"
    #: deferred, judged to run, held until the main phase is over
    POSTPONED = "postponed"
    #: a task is open: queued or in a worker, or it is asked which machines there are
    RUNNING = "running"
    #: the open task was told to end
    CANCELLING = "cancelling"
    #: an attempt failed, the next one waits for its time
    BACKOFF = "backoff"
    #: a node of an open split region: its parts run, it settles when they are folded
    SPLIT = "split"
    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    #: not run, by choice
    SKIPPED = "skipped"
    #: not run because something before it failed
    BLOCKED = "blocked"


class Trigger(_Member, Enum):
    """What moves a node from one state to the next."""

    #: an input made the pebble
    ARRIVED = "arrived"
    #: the join matched: run now
    RUN = "run"
    #: the join matched, but the node is deferred
    POSTPONE = "postpone"
    SKIP = "skip"
    BLOCK = "block"
    #: its task could not be built
    UNRESOLVED = "unresolved"
    #: its split region opened
    SPLIT = "split"
    #: the list to split is empty
    EMPTY = "empty"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    STOPPED = "stopped"
    #: failed with a repeat left
    RETRY = "retry"
    #: lost or declined with a placement left
    REPLACE = "replace"
    #: the waiting time before a repeat is over
    DUE = "due"
    #: the pebble was given up
    CANCEL = "cancel"


_ENDED: Final = {
    Trigger.SUCCEEDED: State.SUCCESS,
    Trigger.FAILED: State.ERROR,
    Trigger.TIMED_OUT: State.TIMEOUT,
    Trigger.STOPPED: State.CANCELLED,
}

#: (state, trigger) -> state. The documentation's diagram is drawn from it.
TRANSITIONS: Final[dict[tuple[State, Trigger], State]] = {
    (State.WAITING, Trigger.ARRIVED): State.SUCCESS,
    (State.WAITING, Trigger.RUN): State.RUNNING,
    (State.WAITING, Trigger.POSTPONE): State.POSTPONED,
    (State.WAITING, Trigger.SKIP): State.SKIPPED,
    (State.WAITING, Trigger.BLOCK): State.BLOCKED,
    (State.WAITING, Trigger.UNRESOLVED): State.ERROR,
    (State.WAITING, Trigger.CANCEL): State.BLOCKED,
    (State.WAITING, Trigger.SPLIT): State.SPLIT,
    (State.WAITING, Trigger.EMPTY): State.SUCCESS,
    (State.POSTPONED, Trigger.SPLIT): State.SPLIT,
    (State.POSTPONED, Trigger.SKIP): State.SKIPPED,
    (State.POSTPONED, Trigger.EMPTY): State.SUCCESS,
    (State.SPLIT, Trigger.SKIP): State.SKIPPED,
    **{(State.SPLIT, trigger): state for trigger, state in _ENDED.items()},
    (State.POSTPONED, Trigger.RUN): State.RUNNING,
    (State.POSTPONED, Trigger.UNRESOLVED): State.ERROR,
    (State.POSTPONED, Trigger.CANCEL): State.BLOCKED,
    **{(State.RUNNING, trigger): state for trigger, state in _ENDED.items()},
    (State.RUNNING, Trigger.SPLIT): State.SPLIT,
    (State.RUNNING, Trigger.UNRESOLVED): State.ERROR,
    (State.RUNNING, Trigger.RETRY): State.BACKOFF,
    (State.RUNNING, Trigger.SKIP): State.SKIPPED,
    (State.RUNNING, Trigger.REPLACE): State.RUNNING,
    (State.RUNNING, Trigger.CANCEL): State.CANCELLING,
    **dict.fromkeys(((State.CANCELLING, trigger) for trigger in _ENDED), State.CANCELLED),
    (State.BACKOFF, Trigger.DUE): State.RUNNING,
    (State.BACKOFF, Trigger.CANCEL): State.CANCELLED,
}

#: states of nodes that ran, or failed to be built; worst first
RAN: Final = (State.ERROR, State.TIMEOUT, State.CANCELLED, State.SUCCESS)
FINAL_STATES: Final = frozenset((*RAN, State.SKIPPED, State.BLOCKED))
FAILURES: Final = frozenset({State.ERROR, State.TIMEOUT})
BADNESS: Final = {state: len(RAN) - place for place, state in enumerate(RAN)}


def worst(states: list[State]) -> State:
    """Return the worst of some results: error, timeout, cancelled, success."""
    return max(states, key=BADNESS.__getitem__)
