"""What authors test with: flows as given, when, then; conformance kits; strategies; faults."""

import pkgutil
import sys

_pytest = sys.modules.get("pytest")
if _pytest is not None:
    # Of an installed package pytest would not show what the two sides of an assert were.
    _pytest.register_assert_rewrite(*(f"{__name__}.{each.name}" for each in pkgutil.iter_modules(__path__)))
