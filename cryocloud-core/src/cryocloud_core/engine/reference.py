"""The states of a node for the reference: what each means, and the table of their transitions as a diagram.

Laws: every arrow stands in `TRANSITIONS`; what a state means to an author is said here, once.
"""

from __future__ import annotations

from typing import Final

from cryocloud_core.engine.states import FINAL_STATES, TRANSITIONS, State

MEANINGS: Final = {
    State.WAITING: "some parent has not settled yet",
    State.POSTPONED: "a deferred node that will run once everything else is over",
    State.RUNNING: "its task waits for a worker or is worked on",
    State.CANCELLING: "its task was told to end and has not answered yet",
    State.BACKOFF: "an attempt failed; the next one waits for its time",
    State.SPLIT: "its parts run, one for each item of a list",
    State.SUCCESS: "it ran and succeeded",
    State.ERROR: "it ran and failed, or its arguments could not be resolved",
    State.TIMEOUT: "it ran longer than it may",
    State.CANCELLED: "it was stopped",
    State.SKIPPED: "it did not run, and that was meant: its results, its condition or its branch say so",
    State.BLOCKED: "it did not run because something before it failed",
}


def state_blocks() -> dict[str, str]:
    """Return the drawn parts of the language's page that tell of states, by name."""
    rows = [f"| `{state.value}` | {'yes' if state in FINAL_STATES else ''} | {MEANINGS[state]} |" for state in State]
    table = "\n".join(["| state | final | meaning |", "| --- | --- | --- |", *rows])
    return {"states": table, "state diagram": diagram()}


def diagram() -> str:
    """Return the transitions as a Mermaid state diagram; what leads from one state to another shares an arrow."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for (state, trigger), then in TRANSITIONS.items():
        arrows.setdefault((state, then), []).append(trigger.value)
    lines = [f"  {state.value} --> {then.value}: {', '.join(triggers)}" for (state, then), triggers in arrows.items()]
    ends = [f"  {state.value} --> [*]" for state in State if state in FINAL_STATES]
    start = f"  [*] --> {State.WAITING.value}"
    return "\n".join(["```mermaid", "stateDiagram-v2", start, *lines, *ends, "```"])
