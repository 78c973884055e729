"""What a text that names a file means: a local path, a remote place, or a mistake.

Laws: parsed by hand, nothing is percent-decoded, `#`, `?` and spaces belong to the path.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryocloud_core.errors import ResolutionError, StagingError
from cryocloud_core.sdk.url import scheme_of

#: schemes that a transfer will serve
REMOTE_SCHEMES = frozenset({"ssh", "s3", "http", "https"})


def local_path(value: Any) -> Path:
    """Return the absolute local path that `value` names; it need not exist.

    Raises:
        ResolutionError: for what can never be a path: no text, a relative path, an unknown scheme.
        StagingError: for a remote place.
    """
    if not isinstance(value, str):
        raise ResolutionError(f"must be a path, got {type(value).__name__}", subject=repr(value)[:80])
    scheme = scheme_of(value)
    if scheme in REMOTE_SCHEMES:
        raise StagingError(f"{scheme}:// is not supported yet", subject=value, remedy="give a local path")
    if scheme:
        raise ResolutionError(f"unsupported scheme {scheme}://", subject=value)
    if not value.startswith("/") or "\0" in value:
        raise ResolutionError("need absolute path", subject=repr(value)[:200])
    return Path(value)
