"""What a sound document means: spellings, names, edges, defaults and every key of a node."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cryocloud_core.graph.load import parse
from cryocloud_core.graph.meaning import workflow_text
from cryocloud_core.graph.refs import PARENT, Argument, ConfigRef, Literal, OptionRef, OutputRef, StatRef
from cryocloud_core.graph.workflow import (
    CacheRule,
    Node,
    NodeKind,
    Placement,
    PostItem,
    Restriction,
    Retry,
    WorkerKind,
    Workflow,
)
from cryocloud_core.task import Code, Preparation, StagingKind
from cryocloud_core.wire import from_json, to_json

FILE, TEMPDIR = StagingKind.FILE, StagingKind.TEMPDIR
FULLPATH = OutputRef("In", "fullpath")


def test_nodes_stand_depth_first_with_their_parents_first_listed_first(bench: Any, work: Any) -> None:
    """The enclosing node comes before `downstreamOf`, and no edge counts twice."""
    inner = {"module": "work", "name": "K", "downstreamOf": ["B", "A", "B"], "children": [{"module": "work"}]}
    workflow = bench.workflow(work("A", children=[inner]), work("B"))

    assert list(workflow.nodes) == ["In", "A", "K", "work", "B"]
    assert workflow.nodes["K"].parents == ("A", "B")
    assert workflow.nodes["work"].parents == ("K",)


def test_automatic_names_pass_over_taken_ones(bench: Any, work: Any) -> None:
    """Numbers follow document order, wherever the taken name stands."""
    noname = {"module": "work", "downstreamOf": "In"}
    workflow = bench.workflow(noname, noname, {**noname, "name": "work-2"}, noname)

    assert list(workflow.nodes) == ["In", "work", "work-3", "work-2", "work-4"]


def test_an_input_node_is_attached_to_entry(bench: Any) -> None:
    """With or without saying so; a permanent one is marked."""
    nodes = [{"module": "dirwatcher"}, {"module": "cmdline", "downstreamOf": ["entry"], "runOn": "error"}]
    workflow = bench.workflow(root={"nodes": nodes})

    assert [(n.kind, n.parents, n.permanent) for n in workflow.nodes.values()] == [
        (NodeKind.INPUT, (), True),
        (NodeKind.INPUT, (), False),
    ]
    assert workflow.nodes["cmdline"].run_on == {"success"}


def test_a_node_that_says_nothing_has_the_languages_defaults(bench: Any) -> None:
    """Nothing but its module, its parent and what the module declares is set."""
    node = bench.workflow({"module": "other", "downstreamOf": "In"}).nodes["other"]

    code = Code(path="/m/other.py")
    assert node == Node(name="other", module="other", code=code, parents=("In",), outputs={"dst": ""})


@pytest.mark.parametrize(
    ("old", "modern"),
    [
        ({"dir": "/m"}, {"workdir": "/m"}),
        ({"node": "seer3"}, {"ccnode": "seer3"}),
        ({"maxParallel": "4"}, {"max_parallel": 4}),
        ({"run_on": "always"}, {"runOn": ["success", "error", "timeout", "cancelled"]}),
        ({"resolveOnAny": "true"}, {"resolveOnAny": True}),
        ({"Merge": "NO"}, {}),
        ({"global": "false"}, {}),
        ({"downstreamOf": "In"}, {"downstreamOf": ["In", "In"]}),
        ({"type": "gpu"}, {"gpu": True}),
        ({"runOn": ["never"]}, {"runOn": "never"}),
        ({"priority": "HIGH"}, {"priority": 100}),
        ({"priority": "low"}, {"priority": "20"}),
        ({"retry": 0}, {}),
        ({"args": {"src": {"options": "o"}}}, {"args": {"src": {"option": "o"}}}),
        ({"args": {"src": {"option": "o", "options": "o"}}}, {"args": {"src": {"option": "o"}}}),
        (
            {"args": {"src": {"output": "In.fullpath", "type": "file", "UnZip": "yes"}}},
            {"args": {"src": {"output": "In.fullpath", "type": "file", "unzip": True}}},
        ),
        ({"fvolumes": [], "frunOnHead": True}, {}),
        (
            {"post": {"output": "dst", "target": "/o/"}},
            {"post": [{"output": "dst", "target": "/o/", "basename": "no"}]},
        ),
    ],
)
def test_an_old_spelling_means_the_modern_one(bench: Any, work: Any, old: dict, modern: dict) -> None:  # type: ignore[type-arg]
    """Both documents have one meaning."""
    options = {"options": {"o": {}}}

    assert workflow_text(bench.workflow({**work("A"), **old}, root=options)) == workflow_text(
        bench.workflow({**work("A"), **modern}, root=options)
    )


def test_old_shapes_of_the_document_mean_the_modern_one(bench: Any, work: Any) -> None:
    """`modules` for `nodes`, and options beside the workflow."""
    body = json.loads(bench.document(work("A"), options={"o": {}}))["workflow"]
    old = {"options": body.pop("options"), "workflow": {**body, "modules": body["nodes"]}}
    del old["workflow"]["nodes"]

    linked = bench.link(json.dumps(old))

    assert [problem.code for problem in linked.problems] == ["W02"]
    assert workflow_text(linked.workflow) == workflow_text(bench.workflow(work("A"), root={"options": {"o": {}}}))


def test_a_nodes_key_wins_over_its_modules_default_and_that_over_the_language(bench: Any) -> None:
    """Also for a class of worker that the module writes as a type."""
    nodes = [
        {"module": "admin", "name": "D", "downstreamOf": "In"},
        {"module": "admin", "name": "N", "downstreamOf": "In", "type": "normal", "runOn": "error", "priority": 1},
        {"module": "gpu", "name": "G", "downstreamOf": "In"},
        {"module": "gpu", "name": "H", "downstreamOf": "In", "gpu": "no"},
        {"module": "gpu", "name": "I", "downstreamOf": "In", "type": "admin"},
        {"module": "work", "name": "W", "downstreamOf": "In", "type": "admin", "gpu": True},
    ]
    nodes.append({"module": "device", "name": "E", "downstreamOf": "In", "retry": 0})
    made = bench.workflow(*nodes).nodes

    assert (made["E"].placement.kind, made["E"].max_parallel, made["E"].retry) == (WorkerKind.GPU, 2, None)
    assert (made["D"].placement.kind, made["D"].priority, len(made["D"].run_on)) == (WorkerKind.ADMIN, 0, 4)
    assert (made["N"].placement.kind, made["N"].priority, made["N"].run_on) == (WorkerKind.NORMAL, 1, {"error"})
    kinds = [made[name].placement.kind for name in "GHIW"]
    assert kinds == [WorkerKind.GPU, WorkerKind.NORMAL, WorkerKind.ADMIN, WorkerKind.GPU]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (None, {"success"}),
        ("always", {"success", "error", "timeout", "cancelled"}),
        ("never", set()),
        ("cancelled", {"cancelled"}),
        (["error", "timeout"], {"error", "timeout"}),
        (["error"], {"error"}),
    ],
)
def test_run_on_is_a_set_of_results(bench: Any, work: Any, written: Any, meant: set[str]) -> None:
    """`always` is every result of parents that ran, `never` none."""
    keys = {} if written is None else {"runOn": written}

    assert bench.workflow(work("A", **keys)).nodes["A"].run_on == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (None, {"error", "timeout"}),
        ("error", {"error", "timeout"}),
        ("always", {"error", "timeout"}),
        ("timeout", {"timeout"}),
        ("never", set()),
        (["error", "timeout"], {"error", "timeout"}),
        (["timeout"], {"timeout"}),
    ],
)
def test_a_global_node_listens_to_its_own_words_only(bench: Any, written: Any, meant: set[str]) -> None:
    """Its module's default `always` does not count."""
    keys = {} if written is None else {"runOn": written}
    node = bench.workflow({"module": "admin", "name": "G", "global": True, **keys}).nodes["G"]

    assert (node.kind, node.run_on, node.parents) == (NodeKind.GLOBAL, meant, ())


@pytest.mark.parametrize(
    ("definition", "argument"),
    [
        *((value, Argument(Literal(value))) for value in ("7", 7, True, None, [1, {"option": "o"}], {"a": 1}, {})),
        ({"default": 3}, Argument(Literal({"default": 3}))),
        ({"options": {"a": 1}}, Argument(Literal({"options": {"a": 1}}))),
        *((g, Argument(Literal(g))) for g in ({"type": "Point", "coordinates": [1, 2]}, {"type": "file", "name": 1})),
        ({"value": {"option": "x"}}, Argument(Literal({"option": "x"}))),
        ({"output": "In.fullpath"}, Argument(FULLPATH)),
        ({"output": "In.fullpath", "default": None}, Argument(FULLPATH, True)),
        ({"output": "parent.fullpath"}, Argument(OutputRef(PARENT, "fullpath"))),
        ({"output": "parent.error"}, Argument(OutputRef(PARENT, "error"))),
        ({"option": "o", "default": 1}, Argument(OptionRef("o"), True, 1)),
        ({"options": "o"}, Argument(OptionRef("o"))),
        ({"config": "File"}, Argument(ConfigRef("Ocean.File"))),
        ({"stat": "In.runtime"}, Argument(StatRef("In", "runtime"))),
        ({"stat": "parent.node"}, Argument(StatRef(PARENT, "node"))),
        ({"type": "tempdir", "id": "w"}, Argument(Literal(None), preparation=Preparation(TEMPDIR, id="w"))),
        (
            {"option": "o", "type": "file", "unzip": "true", "copy": 0, "keep": "no", "proto": "http"},
            Argument(OptionRef("o"), preparation=Preparation(FILE, copy=False, unzip=True, keep=False, proto="http")),
        ),
    ],
)
def test_an_argument_comes_from_where_it_says(bench: Any, work: Any, definition: Any, argument: Argument) -> None:
    """Data passes untouched; a definition has one source and its modifiers."""
    root = {"config": "Ocean", "options": {"o": {}}}

    assert bench.workflow(work("A", args={"src": definition}), root=root).nodes["A"].args == {"src": argument}


def test_a_reference_splits_at_the_longest_node_name(bench: Any, work: Any) -> None:
    """Names may hold dots and spaces, keys too."""
    args = {"src": {"output": "A.b.dst"}, "f": {"output": "A.b"}, "level": {"output": "Cleanup zip.x"}}
    outputs = {"b": "a key with the name of another node's second half"}
    made = bench.workflow(
        work("A", outputs=outputs), work("A.b", "A"), work("Cleanup zip", "A.b"), work("B", "Cleanup zip", args=args)
    )

    sources = {name: argument.source for name, argument in made.nodes["B"].args.items()}
    assert sources == {
        "src": OutputRef("A.b", "dst"),
        "f": OutputRef("A", "b"),
        "level": OutputRef("Cleanup zip", "x"),
    }


def test_the_nodes_config_root_wins_over_the_workflows(bench: Any, work: Any) -> None:
    """In arguments and in conditions alike."""
    args = {"src": {"config": "File"}}
    made = bench.workflow(
        work("A", args=args, runIf="config:a.b == 'x'"), work("B", config="Own", args=args), root={"config": "Ocean"}
    ).nodes

    assert made["A"].args["src"].source == ConfigRef("Ocean.File")
    assert made["A"].run_if.tree.left.source == ConfigRef("Ocean.a.b")
    assert made["B"].args["src"].source == ConfigRef("Own.File")


def test_every_key_of_a_node_arrives(bench: Any, work: Any) -> None:
    """A node that says everything is linked with all of it."""
    keys = {
        "args": {"src": "s", "f": {"output": "In.fullpath"}},
        "cache": {"args": ["src"], "expires": "60", "files": ["dst"], "lookup": "yes"},
        "ccnode": ["a", "b"],
        "deferred": 1,
        "docker": "i:1",
        "loop": "f",
        "max_parallel": 3.0,
        "outputs": {"more": "x"},
        "post": [{"output": "dst", "target": {"options": "t"}, "basename": 1, "remove": "yes"}],
        "priority": -7,
        "resolveOnAny": "yes",
        "restrictions": {"W:a.b": "<3"},
        "retry": {"times": "2", "delay": 10, "backoff": 3, "maxDelay": 60, "jitter": 0.5, "on": "error"},
        "serviceURL": "https://h/x",
        "timeout": "2.5",
        "volumes": [["/a", "/b"], [{"option": "t"}, "/c", "rw"]],
        "workdir": {"option": "t", "default": "."},
    }
    node = bench.workflow(work("A", **keys), root={"options": {"t": {}}}).nodes["A"]

    option = Argument(OptionRef("t"))
    assert node.cache == CacheRule(("src",), 60.0, ("dst",), True)
    assert node.placement == Placement(
        machine=Argument(Literal(["a", "b"])),
        docker="i:1",
        volumes=(
            (Argument(Literal("/a")), Argument(Literal("/b")), "ro"),
            (option, Argument(Literal("/c")), "rw"),
        ),
        service_url="https://h/x",
    )
    assert (node.deferred, node.loop, node.max_parallel, node.priority, node.resolve_on_any) == (True, "f", 3, -7, True)
    assert list(node.outputs) == ["n", "files", "dst", "x", "more"]
    assert node.post == (PostItem("dst", option, True, True),)
    assert node.restrictions == (Restriction("W", "a.b", "<", "3"),)
    assert node.retry == Retry(2, 10.0, 3.0, 60.0, 0.5, ("error",))
    assert node.timeout_s == 2.5
    assert node.workdir == Argument(OptionRef("t"), True, ".")


def test_what_a_module_prefers_without_effect_is_dropped_without_a_word(bench: Any) -> None:
    """Only the author of a document is told of keys that mean nothing where they stand."""
    linked = bench.link(bench.document({"module": "eager", "gpu": "no", "merge": 0}))

    assert linked.problems == ()
    assert linked.workflow.nodes["eager"].retry is None


def test_a_split_with_its_merge_links(bench: Any, work: Any) -> None:
    """Also both on one node, a split after a merge, and splits beside each other."""
    split = {"splitOn": "f", "args": {"f": {"output": "In.fullpath"}}}
    made = bench.workflow(
        work("S", **split),
        work("M", "S", merge=True),
        work("T", "M", merge=True, **split),
        work("U", **split),
        work("V", "U", merge=True),
        work("J", "T", "V", args={"src": {"output": "S.dst"}}),
    ).nodes

    assert (made["S"].split_on, made["M"].merge, made["T"].split_on, made["T"].merge) == ("f", True, "f", True)


def test_declared_outputs_can_be_added_from_outside(bench: Any, work: Any) -> None:
    """What a schema file declares counts like the node's own outputs."""
    text = bench.document(work("A", args={"src": {"output": "In.url"}}))

    assert bench.codes(text) == ["E19"]
    assert bench.link(text, more_outputs={"In": {"url": "posted"}}).workflow.nodes["In"].outputs["url"] == "posted"


def test_wanted_modules_are_listed_once_and_as_written(bench: Any) -> None:
    """One module in two working directories is two things to look up."""
    base = {"module": "work", "downstreamOf": "In"}
    nodes = [base, base, {**base, "workdir": {"option": "d"}}, {**base, "serviceURL": "http://h"}]
    wanted = parse(bench.document(*nodes, options={"d": {}})).wanted()

    assert [(w.module, w.workdir, w.service_url) for w in wanted] == [
        ("dirwatcher", None, None),
        ("work", None, None),
        ("work", Argument(OptionRef("d")), None),
        ("work", None, "http://h"),
    ]


def test_two_layouts_of_one_workflow_have_one_text(bench: Any, work: Any) -> None:
    """Help, descriptions, spaces in a condition and the order of keys do not count; a priority does."""
    condition = {"runIf": "output:In.fullpath=='a'"}
    one = bench.workflow(work("A", children=[{"module": "work", "name": "K", **condition}]), work("B"))
    spaced = {"runIf": "( output:In.fullpath   == 'a' )", "outputs": {"dst": "told better"}}
    two = bench.workflow(work("B"), work("K", "A", **spaced), work("A"), root={"description": "another", "options": {}})

    assert workflow_text(one) == workflow_text(two)
    assert workflow_text(one) != workflow_text(bench.workflow(work("A"), work("B", priority=1), work("K", "A")))


def test_a_workflow_survives_the_journal(bench: Any, work: Any) -> None:
    """Written as JSON and read back it is the same."""
    workflow = bench.workflow(
        work("A", runIf="output:In.fullpath in 'x' or not option:o", retry=2, args={"src": {"option": "o"}}),
        root={"options": {"o": {"type": "bool"}}},
    )

    assert from_json(to_json(workflow), Workflow) == workflow
