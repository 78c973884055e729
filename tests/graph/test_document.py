"""The reader agrees with Python's own where both read, and knows where everything stands."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.graph.document import MAX_DEPTH, NotJson, Tree, read

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=25,
)


def standing(tree: Tree) -> list[Tree]:
    """Return every value of a tree."""
    parts = [*(tree.items or ()), *(tree.keys or {}).values()]
    return [tree, *(inner for part in parts for inner in standing(part))]


@given(JSON, st.sampled_from([None, 0, 2]), st.booleans())
def test_data_is_what_json_loads_gives(data: object, indent: int | None, ascii_only: bool) -> None:
    """Whatever the layout, the plain data is the same."""
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)

    assert read(text).tree.data == json.loads(text)


@given(JSON)
def test_every_value_stands_where_its_text_begins(data: object) -> None:
    """The text at a value's offset reads as that value."""
    text = json.dumps(data, indent=1)
    decoder = json.JSONDecoder()

    for tree in standing(read(text).tree):
        assert decoder.raw_decode(text, tree.at)[0] == tree.data
        for key, at in (tree.key_at or {}).items():
            assert decoder.raw_decode(text, at)[0] == key


@given(st.text(alphabet=' \n\t{}[]:,"\\ue+-.0123456789truefalsn'))
def test_what_json_loads_refuses_is_refused(text: str) -> None:
    """Random text is read by both or by none; the refusal points into the text."""
    try:
        expected = json.loads(text, parse_constant=lambda _: math.nan)
        is_finite = "Infinity" not in json.dumps(expected)
    except ValueError:
        is_finite = False
    if is_finite:
        assert read(text).tree.data == expected
        return
    with pytest.raises(NotJson) as told:
        read(text)
    assert 1 <= told.value.line <= text.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, 1),
        ('{"a": 1,}', 1, 9),
        ('{\n  "a" 1}', 2, 7),
        ("[1 2]", 1, 4),
        ("[1,\n\n   NaN]", 3, 4),
        ("[Infinity]", 1, 2),
        ("[-Infinity]", 1, 2),
        ("[1e999]", 1, 2),
        ("[" + "9" * 5000 + "]", 1, 2),
        ('{"a": 1} x', 1, 10),
        ('["a\nb"]', 1, 4),
        ("{'a': 1}", 1, 2),
        ("[01]", 1, 3),
    ],
)
def test_a_fault_is_told_with_line_and_column(text: str, line: int, column: int) -> None:
    """The place is where a person must look."""
    with pytest.raises(NotJson) as told:
        read(text)

    assert (told.value.line, told.value.column) == (line, column)


def test_depth_is_bounded_without_recursion() -> None:
    """A hundred thousand brackets are a fault of the document, not of the interpreter's stack."""
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH).tree.data
    for opening in ("[", '{"a":'):
        with pytest.raises(NotJson, match=f"nested deeper than {MAX_DEPTH} levels"):
            read(opening * 100_000)


def test_the_last_of_two_equal_keys_wins_and_is_noted() -> None:
    """Keys given twice are noted with the place of the later one."""
    document = read('{"a": 1,\n "a": 2, "b": {"c": 1, "c": 3}}')

    assert document.tree.data == {"a": 2, "b": {"c": 3}}
    assert [(name, document.spot(at)) for name, at in document.twice] == [("a", (2, 2)), ("c", (2, 24))]


def test_a_byte_order_mark_is_skipped_and_bytes_must_be_utf8() -> None:
    """A mark moves no column; a stray byte is told with its place."""
    document = read('\ufeff{"a": [1]}'.encode())

    assert document.spot(document.tree.keys["a"].at) == (1, 7)  # type: ignore[index]
    with pytest.raises(NotJson, match="not UTF-8: byte 0xff") as told:
        read(b'{\n"\xc3\xa6\xff"}')
    assert (told.value.line, told.value.column) == (2, 3)
