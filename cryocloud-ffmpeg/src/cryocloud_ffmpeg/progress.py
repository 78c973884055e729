"""What ffmpeg tells with `-progress`: blocks of `key=value`, each ended by `progress=continue` or `progress=end`.

Laws: pure. A value that is not known yet (`N/A`) changes nothing; what is told never goes back.
"""

from __future__ import annotations

from attrs import define


@define
class Progress:
    """How far a transcoding is; `duration_s` is the length of the source, None where unknown."""

    duration_s: float | None = None
    #: length of what was written, seconds
    time_s: float = 0.0
    size_bytes: int = 0
    #: times the speed of playing it
    speed: float | None = None
    has_ended: bool = False

    @property
    def percent(self) -> float | None:
        """Return 0 to 100, None while it cannot be known. 100 only at the end: the last frames take their time."""
        if self.has_ended:
            return 100.0
        return min(99.0, 100 * self.time_s / self.duration_s) if self.duration_s else None

    def feed(self, line: str) -> bool:
        """Take a line; True when it completes a block."""
        key, _, text = line.strip().partition("=")
        number = _number(text)
        if key == "out_time_us" and number is not None:
            self.time_s = max(self.time_s, number / 1e6)
        elif key == "total_size" and number is not None:
            self.size_bytes = max(self.size_bytes, int(number))
        elif key == "speed":
            self.speed = _number(text.removesuffix("x"))
        elif key == "progress":
            self.has_ended = text.strip() == "end"
        return key == "progress"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
