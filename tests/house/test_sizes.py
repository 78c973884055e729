"""How long files and functions may be: small enough to be read in one go."""

from __future__ import annotations

import ast
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.house.conftest import Source

FILE_LINES = 400
FUNCTION_LINES = 50
FUNCTION_MEDIAN = 10
FUNCTION_P90 = 30
TEST_MEDIAN = 15


def measure(tree: ast.Module) -> list[tuple[str, int, int]]:
    """Return (name, line, lines) of every function, nested ones too."""
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [(node.name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1) for node in functions]


def test_measure_counts_the_lines_of_nested_functions() -> None:
    """A function's lines go from its `def` to its last statement, inner functions counted on their own as well."""
    tree = ast.parse("def outer():\n    def inner():\n        return 1\n\n    return inner\n")

    assert measure(tree) == [("outer", 1, 5), ("inner", 2, 2)]


def test_no_file_is_too_long(sources: tuple[Source, ...]) -> None:
    """No Python file has more lines than the limit."""
    long = {str(source.path): len(source.text.splitlines()) for source in sources}

    assert {path: lines for path, lines in long.items() if lines > FILE_LINES} == {}


def test_no_function_is_too_long(sources: tuple[Source, ...]) -> None:
    """No function, in tests neither, has more lines than the limit."""
    measured = ((source.path, *function) for source in sources for function in measure(source.tree))

    assert [f"{path}:{line} {name}: {n} lines" for path, name, line, n in measured if n > FUNCTION_LINES] == []


def test_most_functions_are_short(sources: tuple[Source, ...]) -> None:
    """Half of the packages' functions are at most 10 lines long, nine in ten at most 30."""
    lines = [n for source in sources if source.is_product for _, _, n in measure(source.tree)]

    assert median(lines) <= FUNCTION_MEDIAN
    assert quantiles(lines, n=10)[-1] <= FUNCTION_P90


def test_most_test_functions_are_short(sources: tuple[Source, ...]) -> None:
    """Half of the test functions are at most 15 lines long."""
    tests = (function for source in sources if source.is_test for function in measure(source.tree))

    assert median(n for name, _, n in tests if name.startswith("test_")) <= TEST_MEDIAN
