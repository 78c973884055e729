"""JSON in and out: one cattrs converter for everything that crosses a process or a file.

Laws: unknown keys are refused, every error of a document is told with its path, a union carries the name
of its class under `type`, sets are written in order; values typed `Any` are plain JSON data and pass
untouched.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache, partial
from typing import Any, TypeVar

import attrs
from cattrs import Converter, transform_error
from cattrs.errors import BaseValidationError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.strategies import configure_tagged_union

from cryocloud_core.errors import WireError

try:
    import orjson
except ImportError:  # it comes with the extra [fast]
    _quick: Callable[[Any], bytes] | None = None
else:
    _quick = partial(orjson.dumps, option=orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME)

T = TypeVar("T")

_PLAIN = (Any, dict[str, Any], "Any", "dict[str, Any]")


def _same(value: Any, _type: Any = None) -> Any:
    return value


def _unstructure_attrs(converter: Converter, cls: type) -> Callable[[Any], Any]:
    """Write an attrs class without its defaults; plain JSON fields are handed over as they are."""
    attrs.resolve_types(cls)
    plain: Any = {a.name: override(unstruct_hook=_same) for a in attrs.fields(cls) if a.type in _PLAIN}
    return make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True, **plain)


def _structure_attrs(converter: Converter, cls: type) -> Callable[[Any, Any], Any]:
    attrs.resolve_types(cls)
    plain: Any = {a.name: override(struct_hook=_same) for a in attrs.fields(cls) if a.type in _PLAIN}
    return make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True, **plain)


def _is_frozenset(kind: Any) -> bool:
    return typing.get_origin(kind) is frozenset


@cache
def converter() -> Converter:
    """Return the one converter of the project; `tagged` adds unions to it."""
    made = Converter(omit_if_default=True, forbid_extra_keys=True)
    made.register_unstructure_hook_factory(attrs.has, partial(_unstructure_attrs, made))
    made.register_structure_hook_factory(attrs.has, partial(_structure_attrs, made))
    made.register_unstructure_hook(frozenset, sorted)
    made.register_unstructure_hook_func(_is_frozenset, sorted)
    made.register_unstructure_hook(Enum, lambda member: member.value)
    return made


def tagged(union: Any) -> None:
    """Let the converter read and write this union by the class name under `type`."""
    configure_tagged_union(union, converter(), tag_name="type")


def to_data(value: Any, kind: Any = None) -> Any:
    """Return `value` (of type `kind`, needed for unions) as JSON data."""
    return converter().unstructure(value, unstructure_as=kind or type(value))


def from_data(data: Any, kind: type[T]) -> T:
    """Return the `kind` that JSON data stands for; raises WireError naming every wrong path."""
    name = getattr(kind, "__name__", str(kind))
    if attrs.has(kind) and not isinstance(data, Mapping):
        raise WireError(f"is a {type(data).__name__}, not a map", subject=name)
    try:
        return converter().structure(data, kind)
    except BaseValidationError as error:
        raise WireError("; ".join(transform_error(error)), subject=name) from error


def to_json(value: Any, kind: Any = None) -> str:
    """Return `value` as compact JSON text with sorted keys: equal values give equal texts."""
    return json.dumps(to_data(value, kind), separators=(",", ":"), sort_keys=True, allow_nan=False)


def from_json(text: str | bytes, kind: type[T]) -> T:
    """Return the `kind` that JSON text stands for; raises WireError."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise WireError(f"not JSON: {error}", subject=getattr(kind, "__name__", str(kind))) from error
    return from_data(data, kind)


_plain_text = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def json_bytes(data: Any) -> bytes:
    """Return JSON data as compact text in UTF-8, keys in their order. Raises ValueError or TypeError for other data."""
    text = _quick_bytes(data)
    # orjson writes `null` for a number that JSON has not, as if nothing had happened; json raises.
    return text if b"null" not in text else _plain_text(data).encode("ascii")


def _quick_bytes(data: Any) -> bytes:
    """Return what orjson makes of data in a fifth of the time, `null` for what it does not take.

    That is an integer beyond 64 bits, text that is no Unicode, a key that is no text.
    """
    try:
        return b"null" if _quick is None else _quick(data)
    except TypeError:
        return b"null"
