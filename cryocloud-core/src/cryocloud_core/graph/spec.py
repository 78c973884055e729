"""What a module promises: the `ccmodule` definition as checked data.

Laws: a plain `ccmodule` dict and an attrs-declared spec mean the same; a spec is only ever read, never
changed for one node's sake; old spellings are understood here and nowhere else.
"""

from __future__ import annotations

from typing import Any

from attrs import field, frozen


@frozen
class ModuleSpec:
    """What a module needs, takes, gives and prefers.

    `inputs`, `outputs` and `status` map a name to its description; `inputs` is None when the module
    declares none, then its arguments go unchecked. `defaults` holds node keys in the workflow's own
    spelling. `input_type` is `permanent` or `singlerun` for an input module, None for a processor.
    """

    name: str
    description: str = ""
    depends: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    inputs: dict[str, str] | None = None
    outputs: dict[str, str] | None = None
    defaults: dict[str, Any] = field(factory=dict)
    status: dict[str, str] = field(factory=dict)
    input_type: str | None = None
    #: a requirement the author noted; shown, never installed
    pip: str | None = None
