"""Numbers of bytes for people."""

from __future__ import annotations

import pytest

from cryocloud_core.files.sizes import files_text, size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (2_500_000_000, "2.5 GB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_sizes_are_told_in_the_unit_that_suits(size: int, text: str) -> None:
    """With one digit behind the point, bytes without."""
    assert size_text(size) == text


def test_files_are_counted_as_one_speaks() -> None:
    """One is no plural."""
    assert [files_text(count, 1000) for count in (0, 1, 2)] == ["0 files, 1.0 kB", "1 file, 1.0 kB", "2 files, 1.0 kB"]
