"""What every source file keeps to: docstrings, honest exception handling, names that say what a file holds."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, TypeGuard

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.house.conftest import Source

BROAD = frozenset({"Exception", "BaseException"})
EMPTY_NAMES = frozenset({"base.py", "common.py", "helpers.py", "manager.py", "utils.py", "util.py", "misc.py"})
Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def undocumented(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, name) of each public module, class, function and method without a docstring; overloads need none."""
    if not ast.get_docstring(tree):
        yield 1, "the module"
    waiting: list[ast.Module | ast.ClassDef] = [tree]
    while waiting:
        for node in waiting.pop().body:
            if not isinstance(node, Documented) or node.name.startswith("_"):
                continue
            is_overload = any("overload" in ast.unparse(decorator) for decorator in node.decorator_list)
            if not is_overload and not ast.get_docstring(node):
                yield node.lineno, node.name
            if isinstance(node, ast.ClassDef):
                waiting.append(node)


def swallowing(tree: ast.Module) -> Iterator[int]:
    """Yield the line of each bare `except`, each broad one that does nothing, and each broad `suppress`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            is_broad = node.type is not None and bool(names_in(node.type) & BROAD)
            if node.type is None or (is_broad and is_idle(node.body)):
                yield node.lineno
        elif is_broad_suppress(node):
            yield node.lineno


def is_broad_suppress(node: ast.AST) -> TypeGuard[ast.Call]:
    """Tell whether a node is a call of `suppress` with a broad exception."""
    is_suppress = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress")
    return is_suppress and any(names_in(argument) & BROAD for argument in node.args)


def names_in(tree: ast.expr) -> frozenset[str]:
    """Return every plain name in an expression."""
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def is_idle(body: list[ast.stmt]) -> bool:
    """Tell whether statements do nothing at all: pass, continue, `...`, a text."""
    return all(
        isinstance(statement, ast.Pass | ast.Continue)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in body
    )


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    f()\nexcept:\n    log()\n",
        "try:\n    f()\nexcept Exception:\n    pass\n",
        "try:\n    f()\nexcept (OSError, BaseException):\n    ...\n",
        "for x in y:\n    try:\n        f()\n    except Exception:\n        continue\n",
        "with contextlib.suppress(Exception):\n    f()\n",
    ],
)
def test_swallowed_exceptions_are_found(code: str) -> None:
    """The rule finds every way of losing an error."""
    assert len(list(swallowing(ast.parse(code)))) == 1


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    f()\nexcept OSError:\n    pass\n",
        "try:\n    f()\nexcept Exception as error:\n    report(error)\n",
        "with contextlib.suppress(FileNotFoundError):\n    f()\n",
    ],
)
def test_handled_exceptions_are_let_be(code: str) -> None:
    """A narrow handler may be idle, a broad one may not."""
    assert list(swallowing(ast.parse(code))) == []


def test_missing_docstrings_are_found() -> None:
    """The rule looks at modules, classes, functions and methods, and leaves private ones alone."""
    code = "class A:\n    def m(self): pass\n    def _p(self): pass\ndef f(): 'said'\ndef _g(): pass\n"

    assert list(undocumented(ast.parse(code))) == [(1, "the module"), (1, "A"), (2, "m")]


def test_everything_public_has_a_docstring(sources: tuple[Source, ...]) -> None:
    """Modules, classes, functions and methods say what they are."""
    assert [f"{s.path}:{line} {name}" for s in sources for line, name in undocumented(s.tree)] == []


def test_no_exception_is_swallowed(sources: tuple[Source, ...]) -> None:
    """No bare `except`, no broad one that does nothing."""
    assert [f"{s.path}:{line}" for s in sources for line in swallowing(s.tree)] == []


def test_file_names_say_what_the_file_holds(sources: tuple[Source, ...]) -> None:
    """No file is named for being left over."""
    assert [str(source.path) for source in sources if source.path.name in EMPTY_NAMES] == []
