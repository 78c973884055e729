"""CryoCloud: event-driven file processing with workflows of plugin modules.

Laws: the public names are imported when they are first used, so that `import cryocloud_core` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryocloud_core.api import Reading as Reading
    from cryocloud_core.api import check as check
    from cryocloud_core.api import load as load
    from cryocloud_core.api import run as run
    from cryocloud_core.errors import ConfigError as ConfigError
    from cryocloud_core.errors import CryoCloudError as CryoCloudError
    from cryocloud_core.errors import DocumentError as DocumentError
    from cryocloud_core.errors import OptionError as OptionError
    from cryocloud_core.errors import RemoteFileChanged as RemoteFileChanged
    from cryocloud_core.errors import RemoteFileMissing as RemoteFileMissing
    from cryocloud_core.errors import StartError as StartError
    from cryocloud_core.errors import TransferError as TransferError
    from cryocloud_core.errors import UsageError as UsageError
    from cryocloud_core.graph.spec import ModuleSpec as ModuleSpec
    from cryocloud_core.head.settings import RunSettings as RunSettings

__version__ = "0.1.0"

_HOMES = {
    "Reading": "api",
    "check": "api",
    "load": "api",
    "run": "api",
    "ConfigError": "errors",
    "CryoCloudError": "errors",
    "DocumentError": "errors",
    "OptionError": "errors",
    "RemoteFileChanged": "errors",
    "RemoteFileMissing": "errors",
    "StartError": "errors",
    "TransferError": "errors",
    "UsageError": "errors",
    "ModuleSpec": "graph.spec",
    "RunSettings": "head.settings",
}
__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 -- every entry is a text


def __getattr__(name: str) -> Any:
    """Import a public name on its first use (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted(set(__all__) | set(globals()))
