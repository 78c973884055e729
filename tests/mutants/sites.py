"""Small changes to Python code: where they can be made, and the changed source.

Laws: pure; one change at a time; a change keeps the code valid; docstrings and annotations are left alone.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator

from attrs import frozen

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_BINARY: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitOr: ast.BitAnd}


@frozen
class Site:
    """One possible change: the line, what it does, and a function that makes it in a tree."""

    line: int
    what: str
    number: int
    change: Callable[[ast.AST], None]


def sites(source: str) -> list[Site]:
    """Return every possible change of a source."""
    found: list[Site] = []
    for number, each in enumerate(_code(ast.parse(source))):
        for what, change in _changes(each):
            found.append(Site(getattr(each, "lineno", 0), what, number, change))
    return found


def changed(source: str, site: Site) -> str:
    """Return the source with one change made."""
    tree = ast.parse(source)
    target = next(each for number, each in enumerate(_code(tree)) if number == site.number)
    site.change(target)
    return ast.unparse(ast.fix_missing_locations(tree))


def _code(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes of function bodies, without docstrings, annotations and assertions."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for statement in function.body:
                is_words = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
                if not is_words and not isinstance(statement, ast.Assert | ast.FunctionDef):
                    yield from ast.walk(statement)


def _changes(each: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST], None]]]:
    match each:
        case ast.Compare(ops=[op, *_]) if type(op) in _COMPARE:
            yield f"{type(op).__name__} -> {_COMPARE[type(op)].__name__}", _swap_compare
        case ast.BoolOp(op=op):
            yield f"{type(op).__name__} swapped", _swap_bool
        case ast.UnaryOp(op=ast.Not()):
            yield "not dropped", _drop_not
        case ast.Constant(value=bool()):
            yield f"{each.value} -> {not each.value}", _flip
        case ast.Constant(value=int()):
            yield f"{each.value} -> {int(each.value) + 1}", _add_one
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _BINARY:
            yield f"{type(op).__name__} -> {_BINARY[type(op)].__name__}", _swap_binary
        case ast.Expr(value=ast.Call()):
            yield "call dropped", _drop_call
        case ast.If():
            yield "condition always true", lambda node: setattr(node, "test", ast.Constant(True))
            yield "condition always false", lambda node: setattr(node, "test", ast.Constant(False))


def _swap_compare(node: ast.AST) -> None:
    assert isinstance(node, ast.Compare)
    node.ops[0] = _COMPARE[type(node.ops[0])]()


def _swap_bool(node: ast.AST) -> None:
    assert isinstance(node, ast.BoolOp)
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _drop_not(node: ast.AST) -> None:
    assert isinstance(node, ast.UnaryOp)
    inner = copy.deepcopy(node.operand)
    node.operand = ast.UnaryOp(ast.Not(), inner)


def _flip(node: ast.AST) -> None:
    assert isinstance(node, ast.Constant)
    node.value = not node.value


def _add_one(node: ast.AST) -> None:
    assert isinstance(node, ast.Constant)
    node.value = int(str(node.value)) + 1


def _swap_binary(node: ast.AST) -> None:
    assert isinstance(node, ast.BinOp | ast.AugAssign)
    node.op = _BINARY[type(node.op)]()


def _drop_call(node: ast.AST) -> None:
    assert isinstance(node, ast.Expr)
    node.value = ast.Constant(None)
