"""Several pebbles of one run, and what they share."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

_IN = '{"module": "dirwatcher", "name": "In", "args": {"src": "$HERE/in", "stabilize": 0.1}}'
_MAKE = {"make": {"inputs": {"src": "", "dir": ""}, "outputs": {"dst": "a file"}}}

CASES = (
    Case(
        "an input that is restricted lets one pebble after the other in",
        '{"module": "nap", "name": "A", "downstreamOf": ["In"]}',
        workflow={"name": "One by one"},
        input=_IN.replace("}}", '}, "restrictions": {"One by one:A.processing": "<1"}}'),
        files={"in/a": "", "in/b": "", "in/c": ""},
        modules={"nap": {"inputs": {}}},
        code={"nap": "time.sleep(0.2)\nreturn 100, None"},
        result=("success",) * 3,
        starts=("A", "2:A", "3:A"),
        overlaps={("A", "2:A"): False, ("2:A", "3:A"): False},
    ),
    Case(
        "a second pebble with the same arguments does not call the module again",
        """
        {"module": "make", "name": "A", "downstreamOf": ["In"], "args": {"src": "s", "dir": {"output": "In.relpath"}},
         "cache": {"args": ["src"], "expires": 60}},
        {"module": "work", "name": "Then", "downstreamOf": ["A"], "args": {"x": {"output": "A.dst"}}}
        """,
        input=_IN,
        files={"in/one": "", "in/two": ""},
        modules=_MAKE,
        code={"make": "return 100, {'dst': args['src'] * 2}"},
        result=("success", "success"),
        starts=("A", "Then", "2:Then"),
        args={"Then": {"x": "ss"}, "2:Then": {"x": "ss"}},
    ),
    Case(
        "a kept result whose file lay in the tempdir of a pebble that is gone is made again",
        """
        {"module": "make", "name": "A", "downstreamOf": ["In"], "runIf": "output:In.relpath == 'one'", "args": {
            "src": "s", "dir": {"value": "$HERE/t", "type": "tempdir"}}, "cache": {"args": ["src"], "files": ["dst"]}},
        {"module": "outlive", "downstreamOf": ["In"], "runIf": "output:In.relpath == 'two'"},
        {"module": "make", "name": "B", "downstreamOf": ["outlive"], "args": {
            "src": "s", "dir": {"value": "$HERE/t", "type": "tempdir"}}, "cache": {"args": ["src"], "files": ["dst"]}},
        {"module": "work", "name": "Then", "downstreamOf": ["B"], "args": {"src": {"output": "B.dst"}}}
        """,
        input=_IN,
        files={"in/one": "", "in/two": "", "t/.keep": ""},
        modules={**_MAKE, "outlive": {"inputs": {}}},
        code={
            "make": "path = f\"{args['dir']}/made\"\nopen(path, 'w').close()\n"
            'open(f"{here}/where", "a").write(path + "\\n")\nreturn 100, {"dst": path}',
            "outlive": "until = time.time() + 20\nwhile time.time() < until:\n    time.sleep(0.05)\n"
            '    if os.path.exists(f"{here}/where") and not os.path.exists(open(f"{here}/where").readline().strip()):\n'
            '        return 100, None\nraise RuntimeError("the first pebble is still there")',
        },
        result=("success", "success"),
        starts=("A", "2:outlive", "2:B", "2:Then"),
        gone="$HERE/where",
    ),
    Case(
        "names with spaces, signs, line breaks, other alphabets and bytes that are no text arrive as they are",
        """
        {"module": "read", "name": "A", "downstreamOf": ["In"], "args": {"src": {
            "output": "In.fullpath", "type": "file"}}},
        {"module": "read", "name": "B", "downstreamOf": ["A"], "args": {"src": {"output": "A.dst", "type": "file"}}}
        """,
        input=_IN,
        files={
            "in/a b#1?.t%20xt": "0",
            "in/line\nbreak": "1",
            "in/\u00e6\u00f8\u8a9e": "2",
            "in/no text \udcff\udc80": "3",
        },
        modules={"read": {"inputs": {"src": ""}, "outputs": {"dst": ""}}},
        code={
            "read": "number, node = open(args['src']).read(), task['taskid'].split('/')[1]\n"
            "open(f'{here}/{number}.{node}', 'w').close()\nreturn 100, {'dst': args['src']}"
        },
        result=("success",) * 4,
        exists={f"$HERE/{number}.{node}": True for number in range(4) for node in "AB"},
    ),
)
SETTINGS = {"once": True}
ALONE = True
