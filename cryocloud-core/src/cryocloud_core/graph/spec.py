"""What a module promises: the `ccmodule` definition as checked data.

Laws: a plain `ccmodule` dict and an attrs-declared spec mean the same; a spec is only ever read, never
changed for one node's sake; old spellings are understood here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from cryocloud_core.errors import SpecError
from cryocloud_core.graph.document import Tree, planted
from cryocloud_core.graph.spelling import folded, printable, shown
from cryocloud_core.graph.values import Wrong, descriptions, expected, one_of, texts

#: Kinds of input: it goes on for ever, or it ends by itself.
PERMANENT: Final = "permanent"
SINGLE_RUN: Final = "singlerun"


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


#: Old spellings, folded, and the field each means; whatever differs only in case, `_` or `-` folds alike.
_SPELLINGS: Final = {
    "description": "description",
    "depends": "depends",
    "provides": "provides",
    "inputs": "inputs",
    "outputs": "outputs",
    "defaults": "defaults",
    "status": "status",
    "inputtype": "input_type",
    "jobtype": "input_type",
    "pip": "pip",
}


def spec_of(name: str, mapping: Mapping[str, Any], *, is_input: bool = False) -> ModuleSpec:
    """Return the spec that a `ccmodule` dict declares; keys may be capitalised or old ones, unknown ones are skipped.

    `is_input`: the module has a `start` function, so it is an input even if its definition does not say so.

    Raises:
        SpecError: the definition is no map, or some of its values do not fit; names all of them.
    """
    subject = f'module "{printable(name)}"'
    if not isinstance(mapping, Mapping):
        raise SpecError(f"ccmodule must be a map, got {shown(mapping)}", subject=subject)
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for key, data in mapping.items():
        target = _SPELLINGS.get(folded(str(key)))
        if target is None or (data is None and target != "defaults"):
            continue
        try:
            values[target] = _READERS[target](planted(data, 0))
        except Wrong as error:
            wrong.append(f"{printable(str(key))}: {_why(error)}")
    if wrong:
        raise SpecError("; ".join(wrong), subject=subject, remedy="correct its ccmodule")
    if is_input:
        values.setdefault("input_type", SINGLE_RUN)
    return ModuleSpec(name, **values)


def _why(error: Wrong) -> str:
    return str(error.parts.get("why", f"must be {error.parts.get('expected')}, got {error.parts.get('got')}"))


def _names(tree: Tree) -> tuple[str, ...]:
    return (tree.data,) if isinstance(tree.data, str) and tree.data else texts(tree) if tree.data != "" else ()


def _plain_text(tree: Tree) -> str:
    if not isinstance(tree.data, str):
        raise expected(tree, "a text")
    return tree.data


def _pip(tree: Tree) -> str:
    return " ".join(texts(tree)) if tree.items is not None else _plain_text(tree)


def _input_type(tree: Tree) -> str:
    return one_of(tree, PERMANENT, SINGLE_RUN)


def _defaults(tree: Tree) -> dict[str, Any]:
    # The rows of all node keys are needed here only; whoever just offers a module does not load them.
    from cryocloud_core.graph.defaults import module_defaults

    return module_defaults(tree)


_READERS: Final = {
    "description": _plain_text,
    "depends": _names,
    "provides": _names,
    "inputs": descriptions,
    "outputs": descriptions,
    "defaults": _defaults,
    "status": descriptions,
    "input_type": _input_type,
    "pip": _pip,
}
