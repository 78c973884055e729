"""What `process_task` returned, judged and turned into JSON data.

Laws: pure; a bare map is `(100, map)`, None is no outputs, another value is wrapped under `result`; what JSON cannot
say is converted where there is one obvious way (paths, tuples, numpy scalars) and otherwise an error naming the key.
"""

from __future__ import annotations

import enum
import math
import numbers
import os
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from cryocloud_core.errors import ReturnValueError

#: bytes of a return value as JSON (16 MiB)
SIZE_LIMIT = 16 * 1024 * 1024
_DEPTH_LIMIT = 200
_SHAPE = "process_task must return (progress, return value)"


@frozen
class Returned:
    """Outputs as JSON data; `error` when the progress was not 100; `wrapped` when the value was no map."""

    outputs: dict[str, Any] = field(factory=dict)
    error: str = ""
    wrapped: str = ""


def judge(value: Any) -> Returned:
    """Return what a module's return value means. Raises ReturnValueError."""
    if isinstance(value, Mapping):
        return Returned(_outputs(value))
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ReturnValueError(_SHAPE, place=f"got {_short(value)}", remedy="or just the map of return values")
    progress, outputs = value
    error = _progress_error(progress)
    if outputs is None:
        return Returned({}, error)
    if isinstance(outputs, Mapping):
        return Returned(_outputs(outputs), error)
    return Returned({"result": to_json_data(outputs, "result")}, error, type(outputs).__name__)


def _outputs(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {_key(key, ""): to_json_data(item, str(key)) for key, item in value.items()}


def _progress_error(progress: Any) -> str:
    if isinstance(progress, bool) or not isinstance(progress, numbers.Real):
        raise ReturnValueError(f"{_SHAPE}: progress must be a number", place=f"got {_short(progress)}")
    try:
        percent = float(progress)
    except OverflowError:
        percent = math.inf
    if math.isfinite(percent) and int(percent) == 100:
        return ""
    return f"returned progress {percent:g}, expected 100"


def to_json_data(value: Any, key: str, depth: int = 0) -> Any:
    """Return a value as JSON data; `key` is where it is, for the error. Raises ReturnValueError."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        return _finite(value, key)
    if depth > _DEPTH_LIMIT:
        raise ReturnValueError(f"is nested more than {_DEPTH_LIMIT} deep", subject=f"return value {_cut(key)!r}")
    if isinstance(value, Mapping):
        return {_key(k, key): to_json_data(v, f"{key}.{k}", depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_data(item, f"{key}[{index}]", depth + 1) for index, item in enumerate(value)]
    return _converted(value, key, depth)


def _converted(value: Any, key: str, depth: int) -> Any:
    """Convert what has one obvious form: enums, subclasses of plain types, paths, numpy scalars."""
    if isinstance(value, enum.Enum):
        return to_json_data(value.value, key, depth + 1)
    for plain in (str, int):
        if isinstance(value, plain):
            return plain(value)
    if isinstance(value, float):
        return _finite(float(value), key)
    if isinstance(value, os.PathLike):
        path = os.fspath(value)
        return path if isinstance(path, str) else os.fsdecode(path)
    # numpy's scalars, known without importing numpy: they have no dimensions and give a Python object
    if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):
        plain_value = value.item()
        if type(plain_value) is not type(value):
            return to_json_data(plain_value, key, depth + 1)
    raise ReturnValueError(
        f"is {type(value).__name__}, which JSON cannot hold",
        subject=f"return value {_cut(key)!r}",
        remedy=_advice(value),
    )


def _finite(value: float, key: str) -> float:
    if math.isfinite(value):
        return value
    raise ReturnValueError(f"is {value}, which JSON cannot hold", subject=f"return value {_cut(key)!r}")


def _key(key: Any, place: str) -> str:
    if isinstance(key, str):
        return str(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return str(int(key))
    where = f"return value {_cut(place)!r}" if place else "return value"
    raise ReturnValueError(f"has a key that is {type(key).__name__}, not text: {_short(key)}", subject=where)


def _advice(value: Any) -> str:
    if callable(getattr(value, "tolist", None)):
        return "return .tolist(), or write a file and return its path"
    if isinstance(value, set | frozenset):
        return "return a sorted list"
    return "return text, numbers, lists and maps, or write a file and return its path"


def _short(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"[:120] if isinstance(value, str | int | float) else type(value).__name__


def _cut(key: str) -> str:
    return key if len(key) <= 200 else f"{key[:200]}…"
