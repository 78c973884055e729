"""Reading a module's `ccmodule` from its source text, without running any of it.

Laws: nothing is imported and nothing is called; a definition is constants, joined with `+` at most; whatever
else stands there is refused with its line and what it is, never skipped.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from typing import Any

from attrs import fields, frozen

from cryocloud_core.errors import SpecError
from cryocloud_core.graph.spec import ModuleSpec

DEFINITION = "ccmodule"
#: Words of JSON that people write into Python.
_JSON_WORDS = {"true": "True", "false": "False", "null": "None"}
_MUTATORS = frozenset({"append", "clear", "extend", "insert", "pop", "popitem", "remove", "setdefault", "update"})
_REMEDY = "write it as constants (text may be joined with +), or give --import-modules"


@frozen
class Source:
    """What a module's source shows: its definition, None when it has none, and the entry points it defines."""

    definition: dict[str, Any] | None
    has_start: bool = False
    has_process_task: bool = False


def read_source(text: str | bytes, path: str) -> Source:
    """Return what the source of a module shows. Raises SpecError with the line of what cannot be read as it stands."""
    tree = _parsed(text, path)
    names = set(_bound_names(tree.body))
    written = _definition(tree, path)
    try:
        definition = None if written is None else _Folder(path).definition(written)
    except RecursionError as error:
        raise SpecError(f"{DEFINITION} is nested too deeply", place=path) from error
    # A star import hides names; what it brings is most likely the work of a processor.
    return Source(definition, "start" in names, not names.isdisjoint({"process_task", "*"}))


def _parsed(text: str | bytes, path: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            # Warnings about a module's code are for its author, when it is loaded.
            warnings.simplefilter("ignore")
            return ast.parse(text, path)
    except SyntaxError as error:
        place = f"{path}:{error.lineno or 1}:{error.offset or 1}"
        raise SpecError(f"is not valid Python: {error.msg}", place=place) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise SpecError(f"is not valid Python: {error}", place=path) from error


def _definition(tree: ast.Module, path: str) -> ast.expr | None:
    """Return what is assigned to `ccmodule`, the last time; refuse code that changes it afterwards."""
    written: ast.expr | None = None
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[*targets], value=value) if any(_is_definition(target) for target in targets):
                written = value
            case ast.AnnAssign(target=target, value=value) if _is_definition(target):
                written = value or written
            case _ if _touches(statement):
                raise _refused("is changed by code", statement, path)
            case _:
                pass
    return written


def _is_definition(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == DEFINITION


def _touches(statement: ast.stmt) -> bool:
    """Return True for top-level code that assigns to `ccmodule` or parts of it, or calls one of its methods."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    return any(_changes(node) for node in ast.walk(statement))


def _changes(node: ast.AST) -> bool:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return name == DEFINITION
        case ast.Subscript(ctx=ast.Store() | ast.Del()):
            return _root(node) == DEFINITION
        case ast.Call(func=ast.Attribute(attr=method)):
            return method in _MUTATORS and _root(node) == DEFINITION
        case _:
            return False


def _root(node: ast.AST) -> str:
    """Return the name that a chain of calls, attributes and subscripts begins with."""
    while not isinstance(node, ast.Name):
        match node:
            case ast.Call(func=inner) | ast.Attribute(value=inner) | ast.Subscript(value=inner):
                node = inner
            case _:
                return ""
    return node.id


def _bound_names(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that a module defines at its top level, in conditions and tries too."""
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (each.asname or each.name for each in names)
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
            case ast.If(body=inner, orelse=other):
                yield from _bound_names(inner + other)
            case ast.Try(body=inner, orelse=other, finalbody=last, handlers=handlers):
                yield from _bound_names(inner + other + last)
                yield from (name for handler in handlers for name in _bound_names(handler.body))
            case _:
                pass


@frozen
class _Folder:
    """Turns expressions of constants into the data they write."""

    path: str

    def definition(self, node: ast.expr) -> dict[str, Any]:
        """Return the definition as a map, be it written as one or as a `ModuleSpec(...)`."""
        if isinstance(node, ast.Call) and _called(node) == ModuleSpec.__name__:
            return self._spec_keywords(node)
        data = self.data(node)
        if not isinstance(data, dict):
            raise _refused(f"must be a map, got {type(data).__name__}", node, self.path)
        return data

    def data(self, node: ast.expr) -> Any:
        """Return the data that constants write: maps, lists, texts, numbers, True, False, None."""
        match node:
            case ast.Constant(value=None | bool() | int() | float() | str() as value):
                return value
            case ast.Dict(keys=keys, values=values):
                return {self._key(key, value): self.data(value) for key, value in zip(keys, values, strict=True)}
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self.data(item) for item in items]
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                return self._signed(node, operand)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._joined(node, left, right)
            case ast.JoinedStr(values=parts) if all(isinstance(part, ast.Constant) for part in parts):
                return "".join(self.data(part) for part in parts)
            case _:
                raise _refused(f"is built by code: {_told(node)}", node, self.path)

    def _key(self, key: ast.expr | None, value: ast.expr) -> str:
        if key is None:
            raise _refused("is built by code: another map is merged in with **", value, self.path)
        name = self.data(key)
        if not isinstance(name, str):
            raise _refused(f"has a key that is no text: {name!r}", key, self.path)
        return name

    def _signed(self, node: ast.UnaryOp, operand: ast.expr) -> Any:
        number = self.data(operand)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise _refused(f"has a sign before what is no number: {_told(operand)}", node, self.path)
        return -number if isinstance(node.op, ast.USub) else number

    def _joined(self, node: ast.BinOp, left: ast.expr, right: ast.expr) -> Any:
        first, second = self.data(left), self.data(right)
        if type(first) is not type(second) or not isinstance(first, str | list):
            both = f"{type(first).__name__} + {type(second).__name__}"
            raise _refused(f"is built by code: {both}; only text and lists are joined", node, self.path)
        return first + second

    def _spec_keywords(self, node: ast.Call) -> dict[str, Any]:
        names = [each.name for each in fields(ModuleSpec)]
        given = {names[at]: self.data(value) for at, value in enumerate(node.args[: len(names)])}
        for keyword in node.keywords:
            if keyword.arg not in names:
                what = f"an unknown field {keyword.arg!r}" if keyword.arg else "fields merged in with **"
                raise _refused(f"is a ModuleSpec with {what} (knows: {', '.join(names)})", keyword.value, self.path)
            given[keyword.arg] = self.data(keyword.value)
        return given


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _told(node: ast.expr) -> str:
    """Return what an expression is, in words and as it stands."""
    text = " ".join(ast.unparse(node).split())
    text = text if len(text) <= 60 else f"{text[:57]}..."
    match node:
        case ast.Name(id=name) if name in _JSON_WORDS:
            return f"the name {name} (Python writes {_JSON_WORDS[name]})"
        case ast.Name():
            return f"the name {text}"
        case ast.Call():
            return f"the call {text}"
        case ast.ListComp() | ast.DictComp() | ast.SetComp() | ast.GeneratorExp():
            return f"the loop {text}"
        case ast.JoinedStr():
            return f"a text with values in it: {text}"
        case ast.Constant(value=value):
            return f"a value of type {type(value).__name__}: {text}"
        case _:
            return f"the expression {text}"


def _refused(why: str, node: ast.AST, path: str) -> SpecError:
    line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
    return SpecError(f"{DEFINITION} {why}", place=f"{path}:{line}:{column}", remedy=_REMEDY)
