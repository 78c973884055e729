"""What was fetched or sent for a task, summed up in one line of its log.

Laws: what was told of transfers is all that is known here; where nothing was remote there is no line.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from attrs import define, evolve, field

from cryocloud_core.files.moving import Moving, Step
from cryocloud_core.files.sizes import size_text
from cryocloud_core.sdk.url import Url
from cryocloud_core.url_secrets import shown_url


@define(eq=False)
class Tally:
    """Counts what is complete since `begin`; told from any thread."""

    now: Callable[[], float] = time.monotonic
    #: what is complete, by URL
    _complete: dict[tuple[str, bool], Moving] = field(factory=dict)
    _began: float = 0.0
    _lock: threading.Lock = field(factory=threading.Lock)

    def begin(self) -> None:
        """Count from nothing."""
        with self._lock:
            self._complete.clear()
            self._began = self.now()

    def told(self, moving: Moving) -> None:
        """Take note of what is complete; a copy that was brought and is then used again was brought."""
        if not moving.is_complete or not moving.files:
            return
        with self._lock:
            before = self._complete.get(moving.key)
            if before is None or before.step is Step.REUSED:
                self._complete[moving.key] = moving
            elif moving.step is not Step.REUSED:
                files, size = before.files + moving.files, before.done_bytes + moving.done_bytes
                self._complete[moving.key] = evolve(moving, files=files, files_done=files, done_bytes=size)

    def fetched(self) -> str:
        """Return the line about what was brought here, empty when nothing was."""
        found = self._found()
        if not found:
            return ""
        files = sum(each.files for each in found)
        anew = sum(each.files for each in found if each.step is not Step.REUSED)
        news = "" if anew == files else f", {anew or 'none'} of them anew" if files > 1 else ", not anew"
        places = ", ".join(dict.fromkeys(shown_url(each.url.endpoint) for each in found))
        return f"fetched {_what(found)}{news}, from {places}{self._taken()}"

    def sent(self) -> str:
        """Return the line about what was sent, empty when nothing was."""
        found = self._found()
        if not found:
            return ""
        urls = [each.url for each in found]
        place = urls[0].shown if len(urls) == 1 else ", ".join(dict.fromkeys(shown_url(url.endpoint) for url in urls))
        return f"sent {_what(found)}, to {place}{self._taken()}"

    def _found(self) -> list[Moving]:
        with self._lock:
            return list(self._complete.values())

    def _taken(self) -> str:
        return f" ({self.now() - self._began:.1f} s)"


def _what(found: list[Moving]) -> str:
    files = sum(each.files for each in found)
    name = _name_of(found[0].url) if files == 1 else f"{files} files"
    return f"{name or '1 file'}, {size_text(sum(each.done_bytes for each in found))}"


def _name_of(url: Url) -> str:
    """Return the last part of a URL's path, for the web without what is asked."""
    return url.shown.partition("?")[0].rpartition("/")[2] if url.scheme in ("http", "https") else url.name
