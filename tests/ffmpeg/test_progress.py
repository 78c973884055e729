"""What ffmpeg tells about its progress."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cryocloud_ffmpeg.progress import Progress

FIRST = ["frame=0", "total_size=0", "out_time_us=N/A", "out_time=N/A", "speed=N/A", "progress=continue"]
THEN = ["frame=50", "total_size=4096", "out_time_us=2500000", "speed=1.25x", "progress=continue"]


def test_blocks_become_percent_of_the_length() -> None:
    """A block counts when it is complete; what is not known yet changes nothing; the end is 100."""
    progress = Progress(10.0)

    assert [progress.feed(line) for line in FIRST] == [False] * 5 + [True]
    assert progress.percent == 0
    assert [progress.feed(line) for line in THEN] == [False] * 4 + [True]
    assert (progress.percent, progress.time_s, progress.size_bytes, progress.speed) == (25.0, 2.5, 4096, 1.25)
    progress.feed("progress=end")
    assert progress.percent == 100


def test_without_a_length_there_is_no_percent_before_the_end() -> None:
    """A pipe or a broken header has none."""
    progress = Progress()
    for line in THEN:
        progress.feed(line)

    assert progress.percent is None
    progress.feed("progress=end")
    assert progress.percent == 100


def test_more_than_the_length_is_not_the_end() -> None:
    """The last frames take their time."""
    progress = Progress(1.0)
    progress.feed("out_time_us=1500000")

    assert progress.percent == 99


KEYS = st.sampled_from(["out_time_us", "total_size", "speed", "progress", "fps", "x"])
LINES = st.one_of(st.text(), st.builds("{}={}".format, KEYS, st.one_of(st.text(), st.integers(), st.just("continue"))))


@given(st.lists(LINES), st.none() | st.floats(0, 1e6))
def test_any_lines_are_understood_and_progress_never_goes_back(lines: list[str], duration: float | None) -> None:
    """Whatever is told, percent stays within 0 and 100 and grows."""
    progress, before = Progress(duration), 0.0
    for line in lines:
        progress.feed(line)
        percent = progress.percent
        assert percent is None or before <= percent <= 100
        before = percent if percent is not None and not progress.has_ended else before
