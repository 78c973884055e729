"""Results used again by real workers: one after the other, so that what a node made is there for the next."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

_MAKE = {"make": {"inputs": {"src": "", "x": ""}, "outputs": {"dst": "a file", "n": ""}}}
_CODE = {
    "make": "path = f\"{here}/{args['src']}.made\"\nopen(path, 'w').write(task['taskid'])\n"
    "return 100, {'dst': path, 'n': task['taskid']}"
}
_ARGS = '"args": {"src": "s"}, "cache": {"args": ["src"], "expires": 60'


def _two(title: str, between: str, keys: str = "", **then: object) -> Case:
    """Return the case of two equal nodes with a node between them."""
    return Case(
        title,
        f"""
        {{"module": "make", "name": "A", "downstreamOf": ["In"], {_ARGS}{keys}}}}},
        {{"module": "spoil", "name": "S", "downstreamOf": ["A"], "args": {{"src": {{"output": "A.dst"}}}}}},
        {{"module": "make", "name": "B", "downstreamOf": ["S"], {_ARGS}{keys}}}}},
        {{"module": "work", "name": "Then", "downstreamOf": ["B"], "args": {{"x": {{"output": "B.dst"}},
            "y": {{"stat": "B.max_memory"}}}}}}
        """,
        modules={**_MAKE, "spoil": {"inputs": {"src": ""}}},
        code={**_CODE, "spoil": f"{between}\nreturn 100, None"},
        **then,  # type: ignore[arg-type]
    )


CASES = (
    _two(
        "a result is used again, the module is not called",
        "pass",
        starts=("A", "S", "Then"),
        states={"B": "success"},
        args={"Then": {"x": "$HERE/s.made", "y": 0}},
    ),
    _two(
        "its file is still there",
        "pass",
        ', "files": ["dst"]',
        starts=("A", "S", "Then"),
        args={"Then": {"x": "$HERE/s.made", "y": 0}},
    ),
    _two(
        "its file has another size",
        "open(args['src'], 'a').write('more')",
        ', "files": ["dst"]',
        starts=("A", "S", "B", "Then"),
    ),
    _two("its file is gone", "os.unlink(args['src'])", ', "files": ["dst"]', starts=("A", "S", "B", "Then")),
    _two(
        "it was sent, and is not sent again",
        "open(args['src'].removeprefix('file://'), 'w').write('not the result')",
        '}, "post": {"output": "dst", "target": "file://$HERE/out/", "basename": true',
        starts=("A", "S", "Then"),
        args={"Then": {"x": "file://$HERE/out/s.made", "y": 0}},
        exists={"$HERE/out/s.made": True},
    ),
    _two(
        "it was sent to where it is still there",
        "pass",
        ', "files": ["dst"]}, "post": {"output": "dst", "target": "file://$HERE/out/", "basename": true',
        starts=("A", "S", "Then"),
        args={"Then": {"x": "file://$HERE/out/s.made", "y": 0}},
    ),
    _two(
        "it was sent to where it is gone",
        "os.unlink(args['src'].removeprefix('file://'))",
        ', "files": ["dst"]}, "post": {"output": "dst", "target": "file://$HERE/out/", "basename": true',
        starts=("A", "S", "B", "Then"),
    ),
    _two("nobody asked for its file", "os.unlink(args['src'])", starts=("A", "S", "Then")),
    _two("who only looks keeps nothing", "pass", ', "lookup": true', starts=("A", "S", "B", "Then")),
    Case(
        "a result that is too old is made again",
        """
        {"module": "make", "name": "A", "downstreamOf": ["In"], "args": {"src": "s"},
          "cache": {"args": ["src"], "expires": 0.05}},
        {"module": "pause", "name": "S", "downstreamOf": ["A"]},
        {"module": "make", "name": "B", "downstreamOf": ["S"], "args": {"src": "s"},
          "cache": {"args": ["src"], "expires": 0.05}}
        """,
        modules={**_MAKE, "pause": {"inputs": {}}},
        code={**_CODE, "pause": "time.sleep(0.1)\nreturn 100, None"},
        starts=("A", "S", "B"),
    ),
    Case(
        "a module says itself when its results may be used again; equal parts of a split run once",
        """
        {"module": "own", "name": "W", "downstreamOf": ["In"], "splitOn": "f", "args": {"f": ["a", "b", "a", "a"]}},
        {"module": "work", "name": "M", "downstreamOf": ["W"], "merge": true, "children": [
            {"module": "work", "name": "Then", "args": {"x": {"output": "W.n"}}}]}
        """,
        modules={"own": {"inputs": {"f": ""}, "outputs": {"n": ""}, "defaults": {"cache": {"args": ["f"]}}}},
        code={
            "own": "path = f\"{here}/{args['f']}.once\"\nassert not os.path.exists(path)\n"
            "open(path, 'w').close()\nreturn 100, {'n': args['f'] * 2}"
        },
        args={"Then": {"x": ["aa", "bb", "aa", "aa"]}},
    ),
)
