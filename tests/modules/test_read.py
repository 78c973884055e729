"""Static reading of `ccmodule`: constants are read as written, code is refused with its line, nothing runs."""

from __future__ import annotations

import contextlib
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.errors import SpecError
from cryocloud_core.graph.spec import ModuleSpec, spec_of
from cryocloud_core.modules.read import read_source

SPEC_EXAMPLE = '''
import idl

ccmodule = {
    "description": "Create SAR Wind based on a product from L1 GRD",
    "depends": ["Product"],
    'provides': ['SarWind'],  # single quotes
    "inputs": {
        "src": "Product",
        "configOverride": "Override of configuration parameters "
                          "(as a map)",
        "program": "IDL Program" + " to " + 'run',
    },
    "outputs": {"dst": """Destination
path""",},
    "defaults": {
        "priority": 50,  # Normal
        # "runOn": "success"
        "resolveOnAny": False, "timeout": -1.5, "retry": None,
    },
}

def process_task(worker, task, cancel_event=None):
    raise SystemExit("nothing of this may run")

raise SystemExit("nor this")
'''


def test_a_definition_with_everything_people_write_is_read() -> None:
    """Comments, both quotes, joined text, trailing commas, negative numbers, None: all as Python means it."""
    source = read_source(SPEC_EXAMPLE, "wind.py")

    assert source.definition is not None
    assert source.definition["inputs"] == {
        "src": "Product",
        "configOverride": "Override of configuration parameters (as a map)",
        "program": "IDL Program to run",
    }
    assert source.definition["outputs"] == {"dst": "Destination\npath"}
    assert source.definition["defaults"] == {"priority": 50, "resolveOnAny": False, "timeout": -1.5, "retry": None}
    assert (source.has_start, source.has_process_task) == (False, True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ccmodule = {\n 'description': name}", "f.py:2:17: ccmodule is built by code: the name name;"),
        ("ccmodule = {'a': true}", "f.py:1:18: ccmodule is built by code: the name true (Python writes True);"),
        ("ccmodule = dict(a=1)", "f.py:1:12: ccmodule is built by code: the call dict(a=1);"),
        ("ccmodule = {'a': [x for x in 'ab']}", "f.py:1:18: ccmodule is built by code: the loop [x for x in 'ab'];"),
        ("ccmodule = {'a': f'{x}'}", "f.py:1:18: ccmodule is built by code: a text with values in it:"),
        ("ccmodule = {**other}", "ccmodule is built by code: another map is merged in with **;"),
        ("ccmodule = {'a': 'x' * 3}", "ccmodule is built by code: the expression 'x' * 3;"),
        ("ccmodule = {'a': 'x' + 3}", "ccmodule is built by code: str + int; only text and lists are joined;"),
        ("ccmodule = {'a': b'x'}", "ccmodule is built by code: a value of type bytes: b'x';"),
        ("ccmodule = {'a': -'x'}", "ccmodule has a sign before what is no number:"),
        ("ccmodule = {1: 'x'}", "f.py:1:13: ccmodule has a key that is no text: 1;"),
        ("ccmodule = ['x']", "ccmodule must be a map, got list;"),
        ("ccmodule = {}\nccmodule['inputs'] = {}", "f.py:2:1: ccmodule is changed by code;"),
        ("ccmodule = {}\nccmodule['inputs']['x'] = ''", "f.py:2:1: ccmodule is changed by code;"),
        ("ccmodule = {}\nccmodule.update(a=1)", "f.py:2:1: ccmodule is changed by code;"),
        ("ccmodule = {}\nccmodule['depends'].append('x')", "f.py:2:1: ccmodule is changed by code;"),
        ("ccmodule = {}\nfor n in 'ab':\n    ccmodule['inputs'][n] = ''", "f.py:2:1: ccmodule is changed by code;"),
        ("ccmodule = {}\ndel ccmodule['a']", "f.py:2:1: ccmodule is changed by code;"),
        ("try:\n    ccmodule = {}\nfinally:\n    pass", "f.py:1:1: ccmodule is changed by code;"),
        ("ccmodule = ModuleSpec(nme='x')", "ccmodule is a ModuleSpec with an unknown field 'nme' (knows: name,"),
        ("ccmodule = ModuleSpec(**x)", "ccmodule is a ModuleSpec with fields merged in with **"),
        ("def f(:\n", "f.py:1:7: is not valid Python: invalid syntax"),
        ("print 'x'\n", "f.py:1:1: is not valid Python: Missing parentheses"),
        ("a = '\0'", "is not valid Python: source code string cannot contain null bytes"),
        ("ccmodule = {'a': " + " + ".join(["'x'"] * 3000) + "}", "f.py: "),
    ],
)
def test_code_is_refused_with_its_line_and_what_it_is(text: str, told: str) -> None:
    """Each refusal says where, what stands there, and what to do."""
    with pytest.raises(SpecError) as error:
        read_source(text, "f.py")
    assert told in str(error.value)


@pytest.mark.parametrize(
    "text",
    ["print(ccmodule.get('a'))", "x = ccmodule['a']", "def f():\n    ccmodule['a'] = 1", "ccmodule['a'].format(1)"],
)
def test_reading_the_definition_elsewhere_is_no_change(text: str) -> None:
    """Code that only looks at the definition, or would change it when called, is let be."""
    assert read_source(f"ccmodule = {{'a': 'b'}}\n{text}", "f.py").definition == {"a": "b"}


def test_the_last_assignment_counts() -> None:
    """As when the file runs; an annotation changes nothing."""
    assert read_source("ccmodule = x = {'a': 1}\nccmodule: dict = {'a': 2}", "f.py").definition == {"a": 2}


def test_a_file_without_definition_has_none() -> None:
    """No `ccmodule` is not an empty one."""
    assert read_source("x = 1\nccmodule: dict", "f.py").definition is None
    assert read_source("ccmodule = {}", "f.py").definition == {}


@pytest.mark.parametrize(
    "text",
    [
        "def start(handler, args, stop_event): pass",
        "from x import start",
        "from x import begin as start",
        "start = begin",
        "try:\n    from x import start\nexcept ImportError:\n    def start(h, a, s): pass",
        "if True:\n    def start(h, a, s): pass\nelse:\n    pass",
    ],
)
def test_a_start_is_seen_however_it_is_defined(text: str) -> None:
    """A module that has `start` is an input."""
    assert read_source(text, "f.py").has_start


@pytest.mark.parametrize("text", ["class C:\n    def start(self): pass", "x.start = 1", "def f():\n    start = 1"])
def test_a_start_inside_something_else_is_none(text: str) -> None:
    """Only the module's own top level counts."""
    assert not read_source(text, "f.py").has_start


def test_a_spec_written_as_a_call_means_the_same_as_a_map() -> None:
    """`ModuleSpec(...)` with constants is read statically, by position and by keyword."""
    text = (
        "from cryocloud_core.sdk import ModuleSpec\n"
        "ccmodule = ModuleSpec('wind', 'Wind', provides=('SarWind',), inputs={'src': 'Product'})"
    )
    definition = read_source(text, "wind.py").definition

    assert definition is not None
    spec = spec_of("wind", definition)
    assert spec == ModuleSpec("wind", "Wind", provides=("SarWind",), inputs={"src": "Product"})


def test_an_encoding_written_in_the_file_is_honoured() -> None:
    """Source is bytes; old modules are not always UTF-8."""
    assert read_source(b"# coding: latin-1\nccmodule = {'description': '\xe6'}", "f.py").definition == {
        "description": "æ"
    }


def test_doubtful_escapes_in_a_module_do_not_warn_here() -> None:
    """What Python warns of in a user's file is no trouble of whoever only reads it."""
    assert read_source("x = '\\d'\nccmodule = {}", "f.py").definition == {}


texts = st.text() | st.text(string.printable)
constants = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
data = st.recursive(
    constants, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=20
)


class _Printer:
    """Writes data as a person might: other quotes, joined and adjacent text, comments, line breaks, tuples."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def source(self, value: Any) -> str:
        """Return Python source of the value."""
        match value:
            case str():
                return self.text(value)
            case dict():
                pairs = [f"{self.text(key)}: {self.source(inner)}" for key, inner in value.items()]
                return "{" + self.joined(pairs) + "}"
            case list():
                return "[" + self.joined([self.source(inner) for inner in value]) + "]"
            case _:
                return f"({value!r})" if self.draw(st.booleans()) else repr(value)

    def text(self, value: str) -> str:
        """Return a text as one or several literals."""
        cut = self.draw(st.integers(0, len(value)))
        parts = [part for part in (value[:cut], value[cut:]) if part] or [""]
        glue = self.draw(st.sampled_from([" + ", " ", " +\n  "]))
        return "(" + glue.join(repr(part) for part in parts) + ")"

    def joined(self, parts: list[str]) -> str:
        """Return parts with commas, comments and line breaks between."""
        glue = self.draw(st.sampled_from([", ", ",\n", ",  # 'a' comment: {\n"]))
        return glue.join(parts) + (glue if parts and self.draw(st.booleans()) else "")


@given(st.data(), st.dictionaries(texts, data, max_size=5))
def test_what_is_written_is_what_is_read(draw: st.DataObject, definition: dict[str, Any]) -> None:
    """Any map of constants, however it is laid out, is read back equal, and as Python itself reads it."""
    source = f"ccmodule = {_Printer(draw.draw).source(definition)}\n"

    read = read_source(source, "f.py").definition

    assert read == definition
    assert repr(read) == repr(definition)


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    """No input makes the reader fail in another way."""
    with contextlib.suppress(SpecError):
        assert read_source(text, "f.py").definition is None or "ccmodule" in str(text)


def test_reading_runs_nothing(tmp_path: Path) -> None:
    """Whatever the file would do when it runs is only looked at."""
    evidence = tmp_path / "ran"
    text = f"open({str(evidence)!r}, 'w')\nccmodule = {{'a': 'b'}}\nopen({str(evidence)!r}, 'w')\n"

    assert read_source(text, "f.py").definition == {"a": "b"}
    assert not evidence.exists()
