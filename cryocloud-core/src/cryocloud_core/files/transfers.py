"""The transfers of one process, by URL scheme.

Laws: a transfer is imported by the first use of its scheme and made once; a scheme that nobody serves, and a transfer
whose libraries are missing, are named together with what to do; a server's settings are judged when it is first met.
"""

from __future__ import annotations

import threading
from collections.abc import Collection

from attrs import define, field

from cryocloud_core.errors import PluginError, ResolutionError, StagingError
from cryocloud_core.files.misspelt import refuse_unknown
from cryocloud_core.graph.spelling import hint
from cryocloud_core.sdk.routes import Route, Routes
from cryocloud_core.sdk.transfer import Transfer, TransferConfig
from cryocloud_core.sdk.url import Url


@define(eq=False)
class Transfers:
    """The transfers of this process, each made when a URL of its scheme is first met. Used from several threads."""

    routes: Routes = field(factory=Routes)
    _made: dict[str, Transfer] = field(factory=dict)
    #: servers whose settings were judged
    _met: set[tuple[str, str]] = field(factory=set)
    _lock: threading.Lock = field(factory=threading.Lock)

    def to(self, url: Url) -> Transfer:
        """Return who serves `url`.

        Raises ResolutionError for a scheme of nobody, StagingError for what is missing, ConfigError for a setting of
        the server that there is not.
        """
        route = self.routes.by_scheme.get(url.scheme)
        if route is None:
            raise unsupported(url, self.routes.by_scheme)
        with self._lock:
            if route.name not in self._made:
                config = TransferConfig(self.routes.config.get(route.root, {}), route.root)
                self._made[route.name] = _make(route, url, config)
            made = self._made[route.name]
            if (route.name, url.endpoint) not in self._met:
                refuse_unknown(made.config, url, route.root, made.settings)
                self._met.add((route.name, url.endpoint))
            return made

    def close(self) -> None:
        """Let go of all connections."""
        with self._lock:
            made, self._made = list(self._made.values()), {}
        for transfer in made:
            transfer.close()


def unsupported(url: Url, schemes: Collection[str]) -> ResolutionError:
    """Return the error of a URL whose scheme is none of `schemes`."""
    known = ", ".join(f"{scheme}://" for scheme in sorted(schemes)) or "none"
    told = f"unsupported scheme {url.scheme}://{hint(url.scheme, schemes)}"
    return ResolutionError(told, subject=str(url), remedy=f"there is {known}")


def _make(route: Route, url: Url, config: TransferConfig) -> Transfer:
    from cryocloud_core.sdk.registry import resolve  # pluggy, which a worker without remote files does not need

    try:
        kind = resolve(route.reference)
    except PluginError as error:
        if isinstance(error.__cause__, ImportError) and route.needs:
            raise StagingError(
                f"{url.scheme}:// needs {' and '.join(route.needs)}, which cannot be imported here: {error.__cause__}",
                subject=str(url),
                remedy=f"pip install {' '.join(route.needs)}",
            ) from error
        raise StagingError(str(error), subject=str(url)) from error
    made: Transfer = kind(config)
    return made
