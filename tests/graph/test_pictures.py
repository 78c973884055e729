"""A workflow as text, Mermaid and DOT: everything is marked, and no name breaks the drawing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryocloud_core.engine.plan import Plan
from cryocloud_core.graph import pictures
from cryocloud_core.graph.refs import Argument, Literal
from cryocloud_core.graph.spelling import printable
from cryocloud_core.graph.workflow import Node, NodeKind, Placement, Restriction, WorkerKind, Workflow
from cryocloud_core.testing.flow import ALWAYS, node

#: any text that JSON can hold, lone surrogates too, with more of what formats read meaning into
NAMES = st.lists(
    st.text(st.one_of(st.characters(), st.sampled_from("\"\\<>&;#]}|)`%\n\r\0\ud800:.- '")), min_size=1, max_size=12),
    min_size=1,
    max_size=8,
    unique=True,
)
BAD = ('"', "a\\", "<b>x</b>", "&quot;", "]", "end", "1. x", "`md`", "%%{init}%%", "a\nb", "\\n", "style: #x;", "\x00")


def workflow(*nodes: Node, name: str = "Flow") -> Workflow:
    """Return a workflow of these nodes."""
    return Workflow(name, "a test", {each.name: each for each in nodes})


def chain(names: list[str] | tuple[str, ...]) -> Workflow:
    """Return a workflow whose nodes follow each other; the second splits and the last of three or more merges."""
    made = []
    for number, name in enumerate(names):
        keys: dict[str, Any] = {"split_on": names[0]} if number == 1 else {}
        keys |= {"merge": True} if number == len(names) - 1 > 1 else {}
        made.append(node(name, *names[max(0, number - 1) : number], **keys))
    return workflow(*made, name=names[-1])


@pytest.fixture
def rich() -> Workflow:
    """Give a workflow with everything that a picture marks."""
    return workflow(
        node("In", permanent=True),
        node("Other"),
        node("L", "In", "Other", max_parallel=2, placement=Placement(WorkerKind.GPU)),
        node("S", "L", split_on="f"),
        node("Side", "S", run_on={"error"}),
        node("M", "S", merge=True, run_on=ALWAYS),
        node("Any", "M", "L", resolve_on_any=True, loop="x", run_on={"error", "timeout"}),
        node("Off", "M", run_on=set()),
        node("Tidy", "M", deferred=True, placement=Placement(on_head=True)),
        node("Far", "M", placement=Placement(machine=Argument(Literal(["a", "b"])))),
        node("Each", "M", placement=Placement(machine=Argument(Literal("all")))),
        node("Held", "M", restrictions=(Restriction("Wind", "L.pending", "<", "3"),)),
        node("Mail", kind=NodeKind.GLOBAL, run_on={"error", "timeout"}),
        node("Told", "Mail"),
    )


def test_the_text_marks_everything(rich: Workflow) -> None:
    """Each node below its first parent, with all that is special about it."""
    assert [line.replace(" (noop)", "") for line in pictures.text(rich)] == [
        "Flow: a test",
        "  In  [input, permanent]",
        "    L  [all of In, Other; at most 2; gpu worker]",
        "      S  [split on f]",
        "        Side  [on error]",
        "        M  [always; merge]",
        "          Any  [any of M, L; on error, timeout; loop over x]",
        "          Off  [never]",
        "          Tidy  [deferred; on the head]",
        '          Far  [machine ["a", "b"]]',
        "          Each  [on every machine]",
        "          Held  [while Wind:L.pending < 3]",
        "  Other  [input]",
        "  Mail  [global; on error, timeout]",
        "    Told",
    ]


def test_dot_marks_everything(rich: Workflow) -> None:
    """Shapes of inputs and handlers, labelled and dashed arrows, the region as a cluster, a deferred box dashed."""
    lines = [line.strip() for line in pictures.dot(rich)]
    cluster = lines.index("subgraph cluster_0 {")

    assert 'n0 [label="In (noop)\\ninput, permanent", shape=oval];' in lines
    assert 'n12 [label="Mail (noop)\\nglobal, on error, timeout", shape=hexagon];' in lines
    assert 'n8 [label="Tidy (noop)\\ndeferred\\non the head", shape=box, style=dashed];' in lines
    assert 'n6 [label="Any (noop)\\nfirst parent that fits\\nloop over x", shape=box];' in lines
    assert "once for each item of f, merged by M" in lines[cluster + 1]
    assert [line[:2] for line in lines[cluster + 2 : lines.index("}", cluster)]] == ["n3", "n4", "n5"]
    assert 'n3 -> n4 [label="on error", style=dashed];' in lines
    assert 'n3 -> n5 [label="always", style=dashed];' in lines
    assert 'n5 -> n7 [label="never", style=dotted];' in lines
    assert "n2 -> n3 [style=solid];" in lines
    assert [line for line in lines if "-> n6" in line] == [
        f'{parent} -> n6 [label="on error, timeout", style=dashed];' for parent in ("n5", "n2")
    ]


def test_mermaid_marks_everything(rich: Workflow) -> None:
    """The same as in DOT, in its own shapes."""
    lines = [line.strip() for line in pictures.mermaid(rich)]
    cluster = lines.index('subgraph r0["once for each item of f#44; merged by M"]')

    assert lines[0] == "flowchart TD"
    assert 'n0(["In #40;noop#41;<br/>input#44; permanent"])' in lines
    assert 'n12{{"Mail #40;noop#41;<br/>global#44; on error#44; timeout"}}' in lines
    assert [line[:2] for line in lines[cluster + 1 : lines.index("end")]] == ["n3", "n4", "n5"]
    assert 'n3 -.->|"on error"| n4' in lines
    assert "n2 --> n3" in lines
    assert "class n8 deferred" in lines


def test_a_region_without_merge_says_so() -> None:
    """All that follows the split lies in it, also what is written above it."""
    flow = workflow(node("In"), node("Late", "S"), node("S", "In", split_on="f"))
    [region] = pictures.regions_of(flow)

    assert (region.merge, region.inside) == (None, ("Late", "S"))
    assert any("never merged" in line for line in pictures.dot(flow))


def test_a_long_fact_is_cut_with_a_mark() -> None:
    """A box stays readable whatever a node is limited to; the text keeps all of it."""
    flow = workflow(node("In"), node("A", "In", loop="x" * 500))

    assert max(map(len, pictures.dot(flow))) < 150
    assert any("…" in unescaped(line) for line in pictures.mermaid(flow))
    assert any("x" * 500 in line for line in pictures.text(flow))


@given(st.data())
def test_regions_are_those_of_the_engine(data: st.DataObject) -> None:
    """What is drawn as one region is what the engine runs once for each item, for random graphs."""
    count = data.draw(st.integers(2, 9))
    split, merge = data.draw(st.integers(1, count - 1)), data.draw(st.integers(1, count))
    nodes = [node("n0")]
    for number in range(1, count):
        parents = data.draw(st.sets(st.integers(0, number - 1), min_size=1))
        keys: dict[str, Any] = {"split_on": "f"} if number == split else {}
        nodes.append(node(f"n{number}", *(f"n{each}" for each in parents), merge=number == merge, **keys))
    flow = workflow(*data.draw(st.permutations(nodes)))
    [drawn], plan = pictures.regions_of(flow), Plan.of(flow).regions[f"n{split}"]

    assert drawn.inside == tuple(each.name for each in plan.nodes)
    assert (drawn.merge and drawn.merge.name) == plan.merge


# --- names that want to break out -----------------------------------------------------------------------------

_LABEL = r'"[^"#\n]*(?:#\d+;[^"#\n]*)*"'
_LINES = re.compile(
    rf"flowchart TD|  subgraph r\d+\[{_LABEL}\]|  end| +n\d+(?:\(\[{_LABEL}\]\)|\[{_LABEL}\]|\{{\{{{_LABEL}\}}\}})"
    rf"|  n\d+ (?:-->|-\.->)(?:\|{_LABEL}\|)? n\d+"
)


def unescaped(label: str) -> str:
    """Return what Mermaid shows for a label."""
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label)


@given(NAMES)
def test_no_name_breaks_mermaid(names: list[str]) -> None:
    """Every line is one that we mean to write, and each label shows the name."""
    lines = list(pictures.mermaid(chain(names)))
    boxes = [line for line in lines if re.match(r" +n\d+[(\[]", line)]
    titles = {unescaped(line.split('"')[1].split("<br/>")[0]) for line in boxes}

    assert [line for line in lines if not _LINES.fullmatch(line)] == []
    assert titles == {printable(f"{name} (noop)" if name != "noop" else name) for name in names}


def drawn(dot: str, flow: Workflow) -> list[list[str]]:
    """Return the texts in each box as the real `dot` draws them, blanks made one."""
    graph = "\n".join(pictures.dot(flow))
    done = subprocess.run([dot, "-Tsvg"], input=graph, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, ""), graph
    groups = ET.fromstring(done.stdout).iter("{http://www.w3.org/2000/svg}g")
    boxes = [group for group in groups if group.get("class") == "node"]
    texts = [[text.text or "" for text in box.iter("{http://www.w3.org/2000/svg}text")] for box in boxes]
    return [[" ".join(text.split()) for text in lines] for lines in texts]


@settings(max_examples=25, deadline=None)
@given(NAMES)
def test_no_name_breaks_dot(program: Callable[[str], str], names: list[str]) -> None:
    """The real `dot` reads it without a word, and each box shows its node's name."""
    shown = sorted(lines[0] for lines in drawn(program("graphviz"), chain(names)))

    assert shown == sorted(" ".join(printable(pictures.title(node(name))).split()) for name in names)


def test_known_troublemakers_are_drawn_as_they_are(program: Callable[[str], str]) -> None:
    """Quotes, backslashes, entities, markup, brackets and control characters come out as text."""
    shown = {lines[0].removesuffix(" (noop)") for lines in drawn(program("graphviz"), chain(BAD))}

    assert shown == {printable(name) for name in BAD}
