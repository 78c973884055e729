"""What `cryocloud schema` does: the language and the definitions of what is installed, as one JSON document."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from cryocloud_core.cli.drawing import write
from cryocloud_core.cli.text import plain
from cryocloud_core.errors import ModuleError, PluginError
from cryocloud_core.graph.schema import language_schema
from cryocloud_core.graph.spec import ModuleSpec
from cryocloud_core.modules.find import Finder
from cryocloud_core.sdk.registry import Registry


def write_schema(output: Path | None, registry: Registry | None = None) -> int:
    """Write the schema and return the exit code; a module that cannot be used is told and left out."""
    document = language_schema(installed_specs(registry or Registry.installed()))
    write(json.dumps(document, indent=2, ensure_ascii=False) + "\n", output)
    return 0


def installed_specs(registry: Registry) -> dict[str, ModuleSpec]:
    """Return the definition of every installed module by name."""
    # A directory that cannot exist and an empty environment: only installed modules are found.
    finder = Finder(Path(os.devnull), registry, environ={})
    specs = {}
    for name in sorted(registry.modules()):
        try:
            specs[name] = finder.find(name).spec
        except (ModuleError, PluginError) as error:
            print(plain(f"left out: {name}: {error}"), file=sys.stderr)
    return specs
