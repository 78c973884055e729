"""Keys that mean nothing where they stand: told as W07 (or refused, where ignoring them would surprise) and dropped.

Laws: a key is dropped only with a finding; an input node keeps what feeds it, nothing that schedules it.
"""

from __future__ import annotations

from typing import Final

from cryocloud_core.graph.sites import Site
from cryocloud_core.graph.spelling import shown

#: Where an input runs and when is the head's own affair.
_NOT_ON_INPUT: Final = (
    "cache", "ccnode", "deferred", "docker", "gpu", "image", "max_parallel", "post", "replicas", "resolveOnAny",
    "retry", "runIf", "runOnHead", "timeout", "volumes",
)  # fmt: skip
#: An input that was meant to split or loop cannot be run as if it were not.
_NEVER_ON_INPUT: Final = ("splitOn", "merge", "loop")
_NOT_ON_HEAD: Final = ("ccnode", "docker", "gpu", "image")


def check_effects(site: Site, kubernetes: bool) -> None:
    """Tell E13, W06 and W07 for keys without effect, and drop them from the site's settings."""
    if site.is_input:
        _check_input(site)
        return
    own = site.settings
    if own.get("runOnHead"):
        for key in _NOT_ON_HEAD:
            _drop(site, key, 'on a "runOnHead" node')
    if own.get("ccnode") is not None and own.get("image") is not None:
        site.tell("W06", "ccnode")
    if kubernetes and own.get("image") is not None:
        _drop(site, "docker", 'beside "image" under --kubernetes')
    if own.get("docker") is None and not kubernetes:
        _drop(site, "volumes", 'without "docker"')
    if own.get("image") is None:
        _drop(site, "replicas", 'without "image"')


def _check_input(site: Site) -> None:
    for key in _NEVER_ON_INPUT:
        if site.settings.get(key):
            expected = "left out on an input node"
            site.tell("E13", key, key=key, expected=expected, got=shown(site.settings[key]))
    for key in _NOT_ON_INPUT:
        _drop(site, key, "on an input node")


def _drop(site: Site, key: str, where: str) -> None:
    value = site.settings.pop(key, None)
    # What the module prefers, and a switch that is off, say nothing about this node.
    if key in site.draft.settings and value not in (None, False, ()):
        site.tell("W07", key, key=key, where=where)
