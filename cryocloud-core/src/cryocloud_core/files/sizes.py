"""Numbers of bytes as a person reads them.

Laws: pure; thousands, not 1024s, as disks and networks are sold.
"""

from __future__ import annotations


def size_text(size_bytes: int) -> str:
    """Return a number of bytes as a person reads it: `873 B`, `3.2 MB`."""
    size, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.95:
            break
        size, unit = size / 1000, larger
    return f"{size_bytes} B" if unit == "B" else f"{size:.1f} {unit}"


def files_text(files: int, size_bytes: int) -> str:
    """Return how many files there are and what they hold: `1 file, 873 B`, `12 files, 3.0 MB`."""
    return f"{files} {'file' if files == 1 else 'files'}, {size_text(size_bytes)}"
