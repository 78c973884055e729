"""The files of a result that may be used again: measured when it is made, looked at before it is used.

Laws: what cannot be looked at (no path, a relative one, a place that does not answer) counts as changed; a directory is
as big as the files in it; nothing here raises for what lies on the disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cryocloud_core.sdk.url import scheme_of
from cryocloud_core.task import Reuse

#: the bytes of what a URL names, None for what cannot be looked at
Look = Callable[[str], int | None]


def measured(outputs: Mapping[str, Any], names: Iterable[str], elsewhere: Look) -> dict[str, int]:
    """Return the bytes of every path and URL in these outputs, without those that cannot be looked at."""
    sizes = {path: size_of(path, elsewhere) for name in names for path in _paths(outputs.get(name))}
    return {path: size for path, size in sizes.items() if size is not None}


def still_there(reuse: Reuse, elsewhere: Look) -> bool:
    """Return True when there is an earlier result and each of its files is as big as it was."""
    paths = [path for name in reuse.files for path in _paths(reuse.outputs.get(name))]
    return reuse.known and all(path in reuse.sizes and size_of(path, elsewhere) == reuse.sizes[path] for path in paths)


def size_of(path: str, elsewhere: Look) -> int | None:
    """Return the bytes of a file, or of all files below a directory; None for what cannot be looked at."""
    if scheme_of(path):
        return elsewhere(path)
    place = Path(path)
    if not place.is_absolute():
        return None
    try:
        return sum(_sizes_below(path)) if place.is_dir() else place.stat().st_size
    except (OSError, ValueError):
        return None


def _sizes_below(path: str) -> Iterator[int]:
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _sizes_below(entry.path)
            else:
                yield entry.stat(follow_symlinks=False).st_size


def _paths(value: Any) -> Iterator[str]:
    """Yield the paths in an output: null has none, anything that is no text stands for one nobody finds."""
    if isinstance(value, list):
        for item in value:
            yield from _paths(item)
    elif value is not None:
        yield value if isinstance(value, str) else ""
