"""What `cryocloud check` does: problems to stderr, the graph as indented text to stdout."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from cryocloud_core.api.reading import ReadFile, read_all
from cryocloud_core.cli.running import reading_of
from cryocloud_core.cli.text import plain
from cryocloud_core.cli.workflow_options import TYPED
from cryocloud_core.files.settings_told import SettingsTold
from cryocloud_core.graph.pictures import text
from cryocloud_core.head.contexts import config_names
from cryocloud_core.sdk.registry import Registry


def check_files(flags: Mapping[str, Any]) -> int:
    """Print what there is to say about each file and return the exit code."""
    registry = Registry.installed()
    read = read_all(flags["files"], flags["ctx"].meta[TYPED], reading_of(flags), registry)
    for file in read:
        for line in (*file.lines(errors=True), *file.lines(errors=False)):
            print(plain(line), file=sys.stderr)
    flows = [file.linked.workflow for file in read if file.linked.workflow is not None]
    reads = set[str]().union(*map(config_names, flows))
    settings = SettingsTold.of(registry, *(file.config for file in read), reads=reads)
    for line in (*settings.errors, *settings.warnings):
        print(plain(line), file=sys.stderr)
    for file in read:
        if file.linked.workflow is not None:
            print("\n".join(map(plain, text(file.linked.workflow))))
            print(verdict(file, len(settings.errors)))
    return 2 if settings.errors or any(file.lines(errors=True) for file in read) else 0


def verdict(file: ReadFile, missettings: int) -> str:
    """Return the line that ends a sound workflow; its settings may have errors."""
    if missettings:
        return f"{plain(str(file.named))}: no errors in it, {missettings} in its settings"
    warnings = len(file.lines(errors=False))
    told = f", {warnings} warning{'s' if warnings != 1 else ''}" if warnings else ""
    return f"{plain(str(file.named))}: no errors{told}"
