"""What `cryocloud modules` prints: a table of what is installed, or the whole of one module.

Laws: nothing offered is imported to be listed; what cannot be used is listed with the reason; texts of packages
are made plain before they are printed.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryocloud_core.cli.text import cells, cut, fit, plain
from cryocloud_core.errors import ModuleError, PluginError
from cryocloud_core.graph.draft import Found
from cryocloud_core.modules.find import Finder
from cryocloud_core.sdk.registry import Offered, Registry

#: A description wraps nowhere; it is cut at the terminal's edge, and whole in a pipe.
IN_A_PIPE = 10_000


def list_modules(registry: Registry | None = None) -> int:
    """Print every installed module, scheduler and transfer with its package, and what is broken."""
    known = registry or Registry.installed()
    # A directory that cannot exist and an empty environment: only installed modules are found.
    finder = Finder(Path(os.devnull), known, environ={})
    rows, broken = [], []
    for name, offered in sorted(known.modules().items()):
        try:
            description = finder.find(name).spec.description
        except (ModuleError, PluginError) as error:
            description = "cannot be used, see below"
            broken.append(f"{name} ({offered.package}): {error}")
        rows.append((name, offered.kind, _package(offered), description))
    rows += [(name, "scheduler", _package(offer), "") for name, offer in sorted(known.schedulers().items())]
    rows += [(name, "transfer", _package(offer), "") for name, offer in sorted(known.transfers().items())]
    broken += [f"{each.package} {each.version}".strip() + f": {each.why}" for each in known.broken]
    print("\n".join(table(("name", "kind", "package", "description"), rows, width())))
    if broken:
        print("\ncannot be used:", *(f"  {plain(line)}" for line in broken), sep="\n", file=sys.stderr)
    return 0


def _package(offered: Offered[Any]) -> str:
    return f"{offered.package} {offered.version}".strip()


def width() -> int:
    """Return the columns of the terminal, as good as no limit in a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else IN_A_PIPE


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Yield aligned lines of at most `width` cells; the last column gets what is left."""
    shown = [[plain(text) for text in row] for row in [head, *rows]]
    widths = [max(cells(row[column]) for row in shown) for column in range(len(head) - 1)]
    for row in shown:
        front = "".join(fit(text, wide) + "  " for text, wide in zip(row, widths, strict=False))
        yield cut(f"{front}{row[-1]}".rstrip(), width)


def show_module(name: str, registry: Registry | None = None) -> int:
    """Print one module's whole definition. Raises ModuleNotFound, SpecError, PluginError."""
    known = registry or Registry.installed()
    offered = known.module(name)
    found = Finder(Path.cwd(), known, environ=os.environ).find(name)
    print("\n".join(spec_lines(found, None if offered is None else _package(offered))))
    return 0


def spec_lines(found: Found, package: str | None) -> Iterator[str]:
    """Yield the definition of a module, one fact a line."""
    spec = found.spec
    kind = f"input, {spec.input_type}" if spec.input_type else "processor"
    yield f"{plain(spec.name)} ({kind})"
    if spec.description:
        yield f"  {plain(spec.description)}"
    yield f"  from      {plain(found.code.path or package or found.code.reference or '?')}"
    for label, values in (("needs", spec.depends), ("provides", spec.provides)):
        if values:
            yield f"  {label:9} {', '.join(map(plain, values))}"
    if spec.pip:
        yield f"  pip       {plain(spec.pip)}"
    yield from _section("inputs", spec.inputs, "not declared: arguments go unchecked")
    yield from _section("outputs", spec.outputs, "not declared")
    yield from _section("status", spec.status or None, "")
    yield from _section("defaults", {key: repr(value) for key, value in spec.defaults.items()} or None, "")


def _section(label: str, entries: Mapping[str, str] | None, otherwise: str) -> Iterator[str]:
    if entries:
        yield f"  {label}"
        wide = max(cells(plain(name)) for name in entries)
        yield from (f"    {fit(plain(name), wide)}  {plain(text)}".rstrip() for name, text in entries.items())
    elif otherwise or entries is not None:
        yield f"  {label:9} {'none' if entries is not None else otherwise}"
