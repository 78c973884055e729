"""The door of this room: text to Draft, and Draft with what was looked up to Linked.

Laws: nothing is read here but the text; nothing is raised for what a document says, every finding is told.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cryocloud_core.graph.draft import Draft, Found, Linked, Missing, Wanted
from cryocloud_core.graph.unsupported import REFUSED


def parse(text: str | bytes, *, strict: bool = False, flags: Collection[str] = ()) -> Draft:
    """Return the draft that a document's text holds.

    `strict` turns W01 to W05 into errors; `flags` are the built-in long flags that options must not take.
    """
    raise NotImplementedError


def link(
    draft: Draft,
    found: Mapping[Wanted, Found | Missing],
    *,
    refuse: Collection[str] = tuple(REFUSED),
    more_outputs: Mapping[str, Mapping[str, str]] | None = None,
    kubernetes: bool = False,
) -> Linked:
    """Return the workflow a draft means with the modules that were `found`, and every finding.

    `refuse` names the keys that are refused as not supported yet; `more_outputs` adds declared outputs to
    nodes by name (the properties of a netwatcher's schema); `kubernetes` says how it will run.
    """
    raise NotImplementedError
