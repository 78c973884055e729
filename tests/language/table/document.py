"""The document as a text: what is no workflow, what is given twice, where a problem is shown."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

_IN = '{"module": "cmdline", "name": "In"}'


def _whole(title: str, document: str | bytes, *problems: str, says: str = "", strict: bool = False) -> Case:
    """Return the case of a whole text."""
    return Case(title, document=document, problems=problems, says=(says,), strict=strict, starts=())


def _rooted(title: str, keys: str, *problems: str, says: str = "") -> Case:
    """Return the case of the keys of `workflow`."""
    return _whole(title, f'{{"workflow": {{{keys}}}}}', *problems, says=says)


CASES = (
    _whole("no JSON", '{"workflow": {"name": "a",}}', "E01", says="(line 1, column 2"),
    _whole("nothing", "", "E01"),
    _whole("a text that breaks off", '{"workflow": {"name": "a"', "E01"),
    _whole("a word that is no JSON value", '{"workflow": {"name": "a", "nodes": NaN}}', "E01"),
    _whole("bytes that are no UTF-8", b'{"workflow": {"name": "\xff"}}', "E01"),
    _whole("a list", "[]", "E02"),
    _whole("no workflow in it", '{"nodes": []}', "E02", "W05"),
    _whole("a workflow that is a list", '{"workflow": []}', "E02"),
    _whole(
        "a byte order mark before it is passed over",
        b'\xef\xbb\xbf{"workflow": {"name": "a", "description": "b", "nodes": [{"module": "cmdline"}]}}',
    ),
    _rooted("no name", f'"description": "b", "nodes": [{_IN}]', "E04", says="name"),
    _rooted("no description", f'"name": "a", "nodes": [{_IN}]', "E04", says="description"),
    _rooted("a name that is a number", f'"name": 3, "description": "b", "nodes": [{_IN}]', "E13"),
    _rooted("a name with a colon", f'"name": "a:b", "description": "b", "nodes": [{_IN}]', "E13"),
    _rooted("a name with dots and spaces", f'"name": "Cryonite.Net 2", "description": "b", "nodes": [{_IN}]'),
    _rooted("no nodes", '"name": "a", "description": "b"', "E05"),
    _rooted("an empty list of nodes", '"name": "a", "description": "b", "nodes": []', "E05"),
    _rooted("nodes that are a map", '"name": "a", "description": "b", "nodes": {}', "E13"),
    _rooted("a node that is a text", f'"name": "a", "description": "b", "nodes": [{_IN}, "work"]', "E13"),
    _rooted("modules for nodes", f'"name": "a", "description": "b", "modules": [{_IN}]'),
    _rooted("modules and nodes", f'"name": "a", "description": "b", "modules": [{_IN}], "nodes": [{_IN}]', "E03"),
    _rooted("a key nobody knows", f'"name": "a", "description": "b", "nodes": [{_IN}], "author": "me"', "W05"),
    _rooted(
        "a key with a slip of the hand",
        f'"name": "a", "descriptoin": "b", "description": "c", "nodes": [{_IN}]',
        "W05",
        says='did you mean "description"',
    ),
    _rooted("a key in another spelling", f'"Name": "a", "description": "b", "nodes": [{_IN}]', "W04"),
    _rooted("a key twice: the last counts", f'"name": 3, "name": "a", "description": "b", "nodes": [{_IN}]', "W01"),
    _rooted(
        "everything at once, in document order",
        '"nodes": [{"modul": "cmdline"}, {"module": "work", "name": "A", "downstreamOf": ["B"], "runOn": "maybe"}]',
        "E04",
        "E04",
        "E06",
        "W05",
        "E11",
        "E13",
    ),
    Case(
        "options beside the workflow are taken in, those inside win",
        document="""{"options": {"o": {"default": "outside"}, "p": {"default": "beside"}},
          "workflow": {"name": "a", "description": "b", "options": {"o": {"default": "inside"}}, "nodes": [
          {"module": "cmdline", "name": "In"},
          {"module": "work", "name": "A", "downstreamOf": "In", "args": {"x": {"option": "o"}, "y": {"option": "p"}}}
        ]}}""",
        problems=("W02",),
        args={"A": {"x": "inside", "y": "beside"}},
    ),
    Case(
        "a problem is shown with its line, its column, its node and its code",
        document="""{"workflow": {"name": "a", "description": "b", "nodes": [
  {"module": "cmdline", "name": "In", "children": [
    {"module": "work", "name": "A"},
    {"module": "work", "name": "Wind", "args": {
      "srcc": 1}}]}]}}
""",
        problems=("E17",),
        says=('flow.json:5:7: nodes[0].children[1] "Wind": E17 unknown argument "srcc" for module "work"',),
    ),
    Case(
        "a duplicate key inside a node",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "priority": 1, "priority": 2}',
        problems=("W01",),
        tasks={"A": {"priority": 2}},
    ),
    Case(
        "hostile characters are shown as escapes",
        '{"module": "work", "name": "A", "downstreamOf": ["In"], "args": {"\\u001b[31mred": 1}}',
        problems=("E17",),
        says=("\\x1b[31mred",),
    ),
    _whole(
        "strict makes errors of what is not the language",
        f'{{"workflow": {{"name": "a", "description": "b", "author": 1, "nodes": [{_IN}]}}}}',
        "W05",
        strict=True,
    ),
)
