"""How built-in modules work through a list: in order, with progress, going on after a failure only when told to.

Laws: results stay aligned with the items, null where there is none; a failure that is passed over is logged and listed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field

from cryocloud_core import CryoCloudError
from cryocloud_core.sdk.processor import Worker


@define
class Done:
    """What came of a list: a result (or None) per item, error texts, and the progress in percent."""

    results: list[Any] = field(factory=list)
    errors: list[str] = field(factory=list)
    progress: int = 100


def work_through(
    worker: Worker,
    items: Sequence[Any],
    act: Callable[[Any], Any],
    *,
    goes_on: bool,
    cancel_event: threading.Event | None,
) -> Done:
    """Call `act` for every item that is not null; end early when cancelled.

    Raises what `act` raises at the first failure, unless `goes_on`: then its error is kept as text.
    """
    done = Done()
    for count, item in enumerate(items):
        if cancel_event is not None and cancel_event.is_set():
            done.progress = 100 * count // len(items)
            break
        done.results.append(None)
        try:
            if item is not None:
                done.results[-1] = act(item)
        except (OSError, ValueError, CryoCloudError) as error:
            if not goes_on:
                raise
            worker.log.error("%s", error)
            done.errors.append(str(error))
        worker.progress(100 * (count + 1) / len(items))
    return done
