"""The page of the language: complete, and every example on it does what the page says."""

from __future__ import annotations

import re
import runpy
import textwrap
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from cryocloud_core.engine.reference import MEANINGS, diagram
from cryocloud_core.engine.states import TRANSITIONS, State
from cryocloud_core.graph.schema import KEYS, language_schema
from cryocloud_core.head.settings import RunSettings
from cryocloud_core.task import Cancelled, TimedOut, Upload
from cryocloud_core.testing.case import Case
from cryocloud_core.testing.live import Stage, perform
from cryocloud_core.testing.play import differences

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "language.md").read_text(encoding="utf-8")
#: an example, with what is demanded of it in a comment before it
EXAMPLE = re.compile(
    r"(?:<!-- (?P<how>case|live)\b(?P<demands>(?:(?!-->).)*)-->\n)?```json\n(?P<json>.*?)```", re.DOTALL
)
WRITTEN = re.sub(r"<!-- drawn: .*?<!-- end -->", "", PAGE, flags=re.DOTALL)
#: the page before anything is drawn into it
WRITTEN_MARKS = re.sub(r"(<!-- drawn: .*? -->\n).*?(<!-- end -->)", r"\1\2", PAGE, flags=re.DOTALL)


def line_of(at: int) -> int:
    """Return the line of a place in the page."""
    return PAGE.count("\n", 0, at) + 1


@frozen
class Example:
    """An example: a case to be played; with `calls`, one for real workers that says how nodes are called, sorted."""

    case: Case
    calls: list[tuple[str, dict[str, Any]]] | None


def read_examples() -> dict[str, Example]:
    """Return the examples, each called after its line in the page."""
    examples = {}
    for found in EXAMPLE.finditer(PAGE):
        title = f"line {line_of(found.start('json'))}"
        demands = textwrap.dedent(found["demands"] or "").strip()
        words = {"TimedOut": TimedOut, "Cancelled": Cancelled, "Upload": Upload}
        keys: dict[str, Any] = eval(f"dict({demands})", words)
        calls = keys.pop("calls", None)
        assert (calls is not None) == (found["how"] == "live")
        keys["document" if found["json"].startswith('{"workflow"') else "nodes"] = found["json"]
        examples[title] = Example(Case(title, **keys), calls)
    return examples


EXAMPLES = read_examples()
CASES = {title: example.case for title, example in EXAMPLES.items() if example.calls is None}
LIVE = {title: example for title, example in EXAMPLES.items() if example.calls is not None}


@pytest.fixture(scope="module")
def modules() -> dict[str, Any]:
    """Give the definitions that the page prints."""
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    found: dict[str, Any] = names["MODULES"]
    return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_example_does_what_the_page_says(case: Case, modules: dict[str, Any]) -> None:
    """It is parsed, linked and played by the real engine, whichever task ends first."""
    found = differences(case, modules, ("workers", "once"))

    assert not found, "\n".join(found)


@pytest.mark.system
def test_an_example_of_several_calls_is_run_by_workers(modules: dict[str, Any], tmp_path: Path) -> None:
    """A head and worker processes: each node is called as often, and with such values, as the page says."""
    found, own = {}, {name: made for name, made in modules.items() if name != "communicate"}
    for number, (title, example) in enumerate(LIVE.items()):
        stage = Stage.build(example.case, tmp_path / f"{number}", f"flow{number}", own)
        perform([stage], RunSettings(state_dir=tmp_path / f"state{number}", workers=2, admin_workers=1))
        calls = [(each.label.rpartition(":")[2], each.args) for each in stage.ran()]
        found[title] = sorted(calls, key=lambda call: (call[0], str(call[1])))

    assert found == {title: example.calls for title, example in LIVE.items()}


def test_every_example_is_executed() -> None:
    """No block of JSON is left out, and each says what comes of it."""
    assert len(EXAMPLES) == PAGE.count("```json\n") > 30
    assert len(re.findall(r"<!-- (?:case|live)\b", PAGE)) == len(EXAMPLES)
    assert len(LIVE) > 1


def keys_of_the_language() -> set[str]:
    """Return every key of nodes, workflows, options and arguments."""
    definitions = language_schema()["$defs"]
    tables = [definitions[name]["properties"] for name in ("workflow", "option", "source")]
    return {*KEYS, *(key for table in tables for key, schema in table.items() if not schema.get("deprecated"))}


@pytest.mark.parametrize("key", sorted(keys_of_the_language()))
def test_every_key_is_explained_in_words(key: str) -> None:
    """It is spoken of, or used in an example, beside its line in a table."""
    assert re.search(rf'[`"*]{key}[`"*: ]', WRITTEN)


def test_every_state_has_a_meaning_and_every_transition_an_arrow() -> None:
    """The table and the diagram leave nothing out."""
    arrows = {tuple(line.split(":")[0].split(" --> ")) for line in diagram().splitlines() if ":" in line}

    assert set(MEANINGS) == set(State)
    assert {(f"  {state.value}", then.value) for (state, _), then in TRANSITIONS.items()} == arrows
    assert all(trigger.value in diagram() for _, trigger in TRANSITIONS)


def test_a_page_that_lost_its_marks_is_not_written(tmp_path: Path) -> None:
    """The generator refuses it by name; with its marks every part is drawn, and no draft is left behind."""
    generator = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    drawn = generator["language_page"]()
    generator["main"].__globals__["HERE"] = tmp_path
    (tmp_path / "language.md").write_text(PAGE.replace("drawn: states", "drawn: stats"), encoding="utf-8")

    with pytest.raises(ValueError, match=r"language\.md: its drawn parts are"):
        generator["language_page"]()
    (tmp_path / "language.md").write_text(WRITTEN_MARKS, encoding="utf-8")
    generator["main"]()
    assert (tmp_path / "language.md").read_text(encoding="utf-8") == drawn
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_every_part_of_the_page_can_be_linked_to() -> None:
    """No two headings are the same."""
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)

    assert len(headings) == len(set(headings))
