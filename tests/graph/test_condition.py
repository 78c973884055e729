"""Conditions: what is read, what is refused, and what holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.graph.condition import (
    And,
    Clause,
    Compare,
    Condition,
    Not,
    Number,
    Or,
    Text,
    Truth,
    Value,
    Verdict,
    holds,
    references,
)
from cryocloud_core.graph.expression import (
    ConditionError,
    RestrictionError,
    parse_condition,
    parse_restriction,
)
from cryocloud_core.graph.refs import PARENT, ConfigRef, OptionRef, OutputRef, Source, StatRef
from cryocloud_core.graph.workflow import Restriction
from cryocloud_core.wire import from_json, to_json

NODES = {"P", "My node", "A", "A.b", "Cleanup zip"}

VALUES = {"n": 3, "text": "wind", "yes": True, "no": False, "nothing": None, "list": ["a", 1], "quote": "it's", "z": 0}


def value_of(source: Source) -> Any:
    """Return a stub value by the reference's key."""
    return VALUES.get(getattr(source, "key", "") or getattr(source, "name", ""))


def judge(text: str) -> bool:
    """Return whether an expression holds with the stub values."""
    return holds(parse_condition(text, NODES), value_of).holds


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("output:P.n", OutputRef("P", "n")),
        ("output:parent.n", OutputRef(PARENT, "n")),
        ("output:My node.n", OutputRef("My node", "n")),
        ("output:A.b", OutputRef("A", "b")),
        ("output:A.b.c", OutputRef("A.b", "c")),
        ("output:A.dst-file", OutputRef("A", "dst-file")),
        ("option:my-opt", OptionRef("my-opt")),
        ("config:A.b.c", ConfigRef("A.b.c")),
        ("stat:Cleanup zip.runtime", StatRef("Cleanup zip", "runtime")),
        ("output:Stranger.x", OutputRef("Stranger", "x")),
    ],
)
def test_a_reference_ends_at_the_longest_node_name_and_an_identifier(text: str, source: Source) -> None:
    """Also with an operator close behind or spaces around it."""
    for rest in ("", "=='x'", " == 'x'", " and True"):
        assert references(parse_condition(text + rest, NODES)) == (source,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("output:P.n == 3", True),
        ("output:P.n=='3'", True),
        ("output:P.n == 3.0", True),
        ("output:P.n == '3.0'", False),
        ("output:P.text != 3", True),
        ("output:P.text == 'wind'", True),
        ("output:P.text!='wind'", False),
        ("output:P.yes == 'True'", True),
        ("output:P.yes == True", True),
        ("output:P.nothing == 'None'", True),
        ("output:P.nothing == None", True),
        ("output:P.unset == None", True),
        ("output:P.list == \"['a', 1]\"", True),
        ('output:P.quote == "it\'s"', True),
        ("output:P.quote == 'it\\'s'", True),
        ("output:P.n > 2 and output:P.n < 4", True),
        ("2 < output:P.n < 3", False),
        ("output:P.n >= 3", True),
        ("output:P.text > 3", False),
        ("not output:P.text > 3", True),
        ("'in' in output:P.text", True),
        ("'x' not in output:P.text", True),
        ("output:P.text", True),
        ("output:P.no", False),
        ("output:P.nothing", False),
        ("output:P.z", False),
        ("not option:no", True),
        ("''", False),
        ("'false'", False),
        ("0", False),
        ("1", True),
        ("-1 < 0", True),
        ("False or (True and not False)", True),
        ("True or False and False", True),
        ("(output:P.n) == 3", True),
        ("not not True", True),
    ],
)
def test_a_condition_holds_by_the_rules(text: str, expected: bool) -> None:
    """Values count as texts, and as numbers beside a number or for an order."""
    assert judge(text) is expected


def test_an_order_of_what_is_no_number_is_false_with_a_warning() -> None:
    """The warning shows both sides."""
    verdict = holds(parse_condition("output:P.text < 3", NODES), value_of)

    assert verdict == Verdict(False, ('"wind" is not a number, so "wind < 3" does not hold',))


@pytest.mark.parametrize("value", ["x' or True or '", '"', "'); import os", "{0.__class__}", "\n"])
def test_a_value_is_never_code(value: str) -> None:
    """What a file or a request says stays a text, whatever quotes it holds."""
    assert not holds(parse_condition("output:P.x == 'wind'", NODES), lambda _: value).holds


@pytest.mark.parametrize(
    ("text", "column", "why"),
    [
        ("", 1, "ends too early"),
        ("output:P.n = 3", 12, 'compare with "=="'),
        ("output:P.n ==", 14, "ends too early"),
        ("output:P", 8, "needs a node and a key"),
        ("option:", 8, "needs a name"),
        ("(True", 1, "not closed"),
        ("True)", 5, 'unexpected ")"'),
        ("True True", 6, 'unexpected "True"'),
        ("f(3)", 1, 'unexpected "f"'),
        ("'open", 1, 'unexpected "\'"'),
        ("3abc", 1, 'unexpected "3abc"'),
        ("(True and True) == 'x'", 17, "cannot be compared"),
        ("(" * 60 + "True" + ")" * 60, 51, "nested deeper"),
        ("not " * 60 + "True", 204, "nested deeper"),
        ("1 + 1 == 2", 3, 'unexpected "+"'),
        ("lambda: 1", 1, 'unexpected "lambda"'),
    ],
)
def test_what_the_grammar_lacks_is_refused_with_its_column(text: str, column: int, why: str) -> None:
    """Columns count from 1."""
    with pytest.raises(ConditionError) as told:
        parse_condition(text, NODES)

    assert told.value.column == column
    assert why in told.value.why


OPERANDS = st.one_of(
    st.sampled_from(["", "wind", "3", "True", "0"]).map(Text),
    st.sampled_from(["0", "3", "2.5", "-1"]).map(lambda t: Number(float(t), t)),
    st.sampled_from(sorted(VALUES)).map(lambda key: Value(OutputRef("P", key))),
)
CLAUSES = st.recursive(
    OPERANDS.map(Truth)
    | st.builds(Compare, OPERANDS, st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in"]), OPERANDS),
    lambda inner: (
        inner.map(Not)
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts)))
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts)))
    ),
    max_leaves=8,
)


def written(part: Any) -> str:
    """Return an expression that means the tree."""
    match part:
        case Text(value):
            return f"'{value}'"
        case Number():
            return part.text
        case Value(OutputRef(node, key)):
            return f"output:{node}.{key}"
        case Truth(operand):
            return written(operand)
        case Not(inner):
            return f"not ({written(inner)})"
        case Compare(left, sign, right):
            return f"{written(left)} {sign} {written(right)}"
        case And(parts) | Or(parts):
            return (" and " if isinstance(part, And) else " or ").join(f"({written(inner)})" for inner in parts)
    raise AssertionError(part)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def reference(part: Any) -> bool:
    """Judge a tree by the rules as written down, in another way than the code does."""
    if isinstance(part, Not):
        return not reference(part.inner)
    if isinstance(part, (And, Or)):
        results = [reference(inner) for inner in part.parts]
        return all(results) if isinstance(part, And) else any(results)

    def text(side: Any) -> str:
        return str(value_of(side.source)) if isinstance(side, Value) else getattr(side, "text", None) or side.value

    if isinstance(part, Truth):
        return text(part.operand) not in ("", "False", "false", "None", "0")
    left, right = text(part.left), text(part.right)
    numbers = (_number(left), _number(right))
    as_numbers = None not in numbers and any(isinstance(s, Number) for s in (part.left, part.right))
    a, b = numbers if as_numbers or part.operator[0] in "<>" else (left, right)
    if part.operator[0] in "<>" and None in numbers:
        return False
    return bool(eval("left in right" if part.operator == "in" else f"a {part.operator} b", {}, locals()))


@given(CLAUSES)
def test_a_random_tree_reads_back_and_holds_as_the_reference_says(tree: Clause) -> None:
    """Writing a tree down and reading it again changes neither its verdict nor its references."""
    condition = Condition("", tree)
    again = parse_condition(written(tree), NODES)

    assert holds(condition, value_of).holds is reference(tree)
    assert holds(again, value_of) == holds(condition, value_of)
    assert references(again) == references(condition)
    assert from_json(to_json(again), Condition) == again


@given(st.text(alphabet="output:P.n ()'\"=<>!andorti1-\\"))
def test_random_text_is_read_or_refused(text: str) -> None:
    """Nothing but a ConditionError comes out of the parser, and its column lies in the text or just behind."""
    column = 1
    try:
        parse_condition(text, NODES)
    except ConditionError as error:
        column = error.column
    assert 1 <= column <= len(text) + 1


def test_a_restriction_is_split_at_the_first_colon() -> None:
    """Spaces around the operator do not matter, later colons belong to the parameter."""
    assert parse_restriction("W:a.b:c", " >= 5e9 ") == Restriction("W", "a.b:c", ">=", "5e9")
    assert parse_restriction("W:a", "!=Running now") == Restriction("W", "a", "!=", "Running now")
    for key, text in (("W", "<3"), (":a", "<3"), ("W:", "<3"), ("W:a", "3"), ("W:a", "<"), ("W:a", "=3")):
        with pytest.raises(RestrictionError):
            parse_restriction(key, text)
