"""The language, case by case: every row is parsed, linked and played by the real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryocloud_core.testing.play import differences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryocloud_core.testing.case import Case


def test_a_row_holds(case: Case, modules: Mapping[str, Any]) -> None:
    """What the row demands comes of it, whoever ends first."""
    found = differences(case, modules, ("workers", "once"))

    assert not found, "\n".join(found)
