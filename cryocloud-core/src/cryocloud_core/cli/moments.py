"""Moments as a person types them, `10m`, `2h`, `2026-01-31 12:00`, and as lines begin with them.

Laws: a text without a time zone means local time; nothing here reads the clock but to turn "ago" into a moment.
"""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Final

from cryocloud_core.errors import OptionError

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)")
_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")


def moment(text: str, now: float | None = None) -> float:
    """Return a moment in seconds UTC: so long ago (`90`, `10m`, `2h`, `3d`, `1w`), a time today, or ISO 8601.

    Raises OptionError.
    """
    at = time.time() if now is None else now
    asked = text.strip()
    ago = _AGO.fullmatch(asked)
    if ago is not None:
        return at - float(ago[1]) * _UNITS[ago[2]]
    if _CLOCK.fullmatch(asked):
        hour, _, rest = asked.partition(":")
        asked = f"{time.strftime('%Y-%m-%d', time.localtime(at))}T{hour:0>2}:{rest}"
    try:
        return datetime.fromisoformat(asked).timestamp()
    except (ValueError, OverflowError, OSError):
        raise OptionError(
            f"is no moment: {text!r}", subject="--since", remedy="write 10m, 2h, 3d, 12:30 or 2026-01-31T12:00"
        ) from None


def day_and_clock(at: float) -> str:
    """Return local time as a terminal has room for: `01-31 12:00:00`."""
    return time.strftime("%m-%d %H:%M:%S", time.localtime(at))


def full(at: float) -> str:
    """Return local time to the millisecond: `2026-01-31 12:00:00.000`."""
    whole, thousandths = divmod(round(at * 1000), 1000)
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(whole))}.{thousandths:03d}"
