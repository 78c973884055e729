"""What a task is warned of once for each server, however many files it has there.

Laws: told from any thread; what is known to be whole is no doubt.
"""

from __future__ import annotations

import logging

from attrs import define, field

from cryocloud_core.sdk.url import Url

logger = logging.getLogger(__name__)


@define(eq=False)
class Doubts:
    """The servers that a task was warned of."""

    _told: dict[str, Url] = field(factory=dict)

    def any_end_looks_right(self, url: Url) -> None:
        """Warn that nobody can know whether a file was cut: neither length nor checksum nor an end was told."""
        if self._told.setdefault(url.endpoint, url) is url:
            logger.warning("%s does not tell how long its files are: a cut one looks whole", url.server or url.scheme)
