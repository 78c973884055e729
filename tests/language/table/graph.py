"""Nodes and edges: names, parents, children, inputs, promises, modules."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

CASES = (
    Case(
        "automatic names are numbered in document order and pass over names that are taken",
        """
        {"module": "work", "downstreamOf": ["In"], "children": [{"module": "work"}]},
        {"module": "work", "name": "work-2", "downstreamOf": ["work"]},
        {"module": "work", "downstreamOf": ["work-3"]}
        """,
        starts=("work", "work-3", "work-2", "work-4"),
        order=("work", "work-2"),
    ),
    Case(
        "two nodes of one name",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "children": [{"module": "tidy", "name": "A"}]}',
        problems=("E07",),
        says=("nodes[1] and nodes[1].children[0]",),
    ),
    Case("an empty name", '{"module": "work", "name": "", "downstreamOf": ["In"]}', problems=("E13",)),
    Case("a name that begins with _", '{"module": "work", "name": "_A", "downstreamOf": ["In"]}', problems=("E13",)),
    Case("a name with a colon", '{"module": "work", "name": "A:B", "downstreamOf": ["In"]}', problems=("E13",)),
    Case("a node called Parent", '{"module": "work", "name": "Parent", "downstreamOf": ["In"]}', problems=("E13",)),
    Case("a node called entry", '{"module": "work", "name": "entry", "downstreamOf": ["In"]}', problems=("E13",)),
    Case(
        "names may hold spaces, dots, slashes and hashes",
        """
        {"module": "work", "name": "Cleanup zip", "downstreamOf": "In"},
        {"module": "work", "name": "a/b#1.\\u00e6", "downstreamOf": "Cleanup zip"}
        """,
        starts=("Cleanup zip", "a/b#1.\u00e6"),
    ),
    Case("a node without a module", '{"name": "A", "downstreamOf": ["In"]}', problems=("E06",)),
    Case("a node nobody leads to", '{"module": "work", "name": "A"}', problems=("E08",)),
    Case(
        "a node with an empty list of parents", '{"module": "work", "name": "A", "downstreamOf": []}', problems=("E08",)
    ),
    Case("a processor at the entry", '{"module": "work", "name": "A", "downstreamOf": ["entry"]}', problems=("E09",)),
    Case("an input below a node", '{"module": "watch", "name": "W", "downstreamOf": ["In"]}', problems=("E10",)),
    Case(
        "an input among children",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "children": [{"module": "watch", "name": "W"}]}',
        problems=("E10",),
    ),
    Case(
        "children of an input",
        input='{"module": "cmdline", "name": "In", "children": [{"module": "work", "name": "A"}]}',
        starts=("A",),
    ),
    Case(
        "an input without downstreamOf is at the entry",
        '{"module": "work", "name": "A", "downstreamOf": ["W"]}',
        input='{"module": "watch", "name": "W"}',
        arrivals=(("W", {"fullpath": "/in/a"}),),
        starts=("A",),
    ),
    Case(
        "an unknown parent",
        '{"module": "work", "name": "Wind", "downstreamOf": ["In"]}, {"module": "work", "downstreamOf": ["Winde"]}',
        problems=("E11",),
        says=('did you mean "Wind"',),
    ),
    Case(
        "a parent further down the document",
        '{"module": "work", "name": "B", "downstreamOf": ["A"]}, {"module": "work", "name": "A", "downstreamOf": "In"}',
        starts=("A", "B"),
    ),
    Case(
        "a node that is its own parent",
        '{"module": "work", "name": "A", "downstreamOf": ["In", "A"]}',
        problems=("E14",),
    ),
    Case(
        "a cycle",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In", "C"]},
        {"module": "work", "name": "B", "downstreamOf": ["A"]},
        {"module": "work", "name": "C", "downstreamOf": ["B"]}
        """,
        problems=("E14",),
        says=("A -> ", "B"),
    ),
    Case(
        "a cycle nothing leads to",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"]},
        {"module": "work", "name": "X", "downstreamOf": ["Y"]},
        {"module": "work", "name": "Y", "downstreamOf": ["X"]}
        """,
        problems=("E14",),
    ),
    Case(
        "children with parents of their own have both, each once",
        """
        {"module": "work", "name": "L", "downstreamOf": ["In"]},
        {"module": "work", "name": "R", "downstreamOf": ["In"], "children": [
            {"module": "work", "name": "J", "downstreamOf": ["L", "R"]}]}
        """,
        attempts={"J": 1},
        starts=("L", "R", "J"),
    ),
    Case("children that are no list", '{"module": "work", "downstreamOf": ["In"], "children": {}}', problems=("E13",)),
    Case("a module that is nowhere", '{"module": "wnd", "downstreamOf": ["In"]}', problems=("E15",)),
    Case(
        "a module whose definition cannot be read",
        '{"module": "built", "downstreamOf": ["In"]}',
        modules={"built": "E16 it is made by calling make()"},
        problems=("E16",),
        says=("made by calling",),
    ),
    Case(
        "a module beside the workflow shadows an installed one",
        '{"module": "remover", "downstreamOf": ["In"]}',
        modules={"remover": {"inputs": {}, "outputs": {}, "shadows": "the built-in module"}},
        problems=("W08",),
        says=("shadows the built-in module",),
    ),
    Case(
        "a module that declares nothing is not checked",
        '{"module": "silent", "name": "S", "downstreamOf": ["In"], "args": {"any": 1}},'
        '{"module": "work", "name": "A", "downstreamOf": ["S"], "args": {"x": {"output": "S.thing"}}}',
        ends={"S": {"thing": 5}},
        problems=("W11", "W11"),
        args={"S": {"any": 1}, "A": {"x": 5}},
    ),
    # depends and provides
    Case(
        "what a module depends on is provided upstream, however far",
        """
        {"module": "work", "name": "A", "downstreamOf": ["W"], "children": [
            {"module": "unpack", "name": "U", "children": [
                {"module": "wind", "children": [{"module": "report"}]}]}]}
        """,
        input='{"module": "watch", "name": "W"}',
        arrivals=(("W", {}),),
        starts=("A", "U", "wind", "report"),
    ),
    Case(
        "nobody upstream provides it",
        '{"module": "unpack", "downstreamOf": ["In"]}',
        problems=("E25",),
        says=('"Product" is required',),
    ),
    Case(
        "a node beside provides it: that does not count",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "provides": ["Product"]},
        {"module": "wind", "name": "B", "downstreamOf": ["In"]}
        """,
        problems=("E25",),
    ),
    Case(
        "an input that says what it provides",
        '{"module": "unpack", "name": "U", "downstreamOf": ["In"]}',
        input='{"module": "cmdline", "name": "In", "provides": ["Product"]}',
        starts=("U",),
    ),
    Case(
        "a node that depends on nothing",
        '{"module": "unpack", "name": "U", "downstreamOf": ["In"], "depends": []}',
        starts=("U",),
    ),
    Case(
        "provides replaces what the module provides, depends likewise, for this node alone",
        """
        {"module": "wind", "name": "A", "downstreamOf": ["W"], "provides": ["Other"]},
        {"module": "wind", "name": "B", "downstreamOf": ["W"], "depends": ["", "Input"]},
        {"module": "report", "downstreamOf": ["A"]},
        {"module": "report", "downstreamOf": ["B"]}
        """,
        input='{"module": "watch", "name": "W"}',
        problems=("E25",),
        says=("nodes[3]", "Other"),
    ),
    Case(
        "other capitals are another thing, and told so",
        '{"module": "unpack", "downstreamOf": ["In"]}',
        input='{"module": "cmdline", "name": "In", "provides": ["product"]}',
        problems=("E25",),
        says=("capitals",),
    ),
    Case(
        "a lone parent needs no list",
        '{"module": "work", "name": "A", "downstreamOf": "In"}, {"module": "work", "name": "B", "downstreamOf": "A"}',
        starts=("A", "B"),
    ),
)
