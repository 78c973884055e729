"""Every node key once: what it does, how it is refused; what nothing executes yet."""

from __future__ import annotations

from cryocloud_core.task import Upload
from cryocloud_core.testing.case import Case


def _key(title: str, keys: str, *problems: str, awaits: tuple[str, ...] = (), **then: object) -> Case:
    """Return the case of a node A with these further keys, below P."""
    return Case(
        title,
        '{"module": "work", "name": "P", "downstreamOf": ["In"]},'
        f'{{"module": "work", "name": "A", "downstreamOf": ["P"], {keys}}}',
        workflow={"options": {"dir": {"default": "."}, "t": {"default": "/out/"}}, "config": "Root"},
        problems=problems,
        awaits=awaits,
        **then,  # type: ignore[arg-type]
    )


def _refused(title: str, keys: str, *problems: str, says: str = "") -> Case:
    return _key(title, keys, *problems, says=(says,))


CASES = (
    # where and how it runs
    _key("type admin", '"type": "admin"', tasks={"A": {"kind": "admin"}}),
    _key("type gpu is gpu", '"type": "gpu"', tasks={"A": {"kind": "gpu"}}),
    _key("gpu overrides type", '"gpu": true, "type": "admin"', tasks={"A": {"kind": "gpu"}}),
    _key("gpu switched off", '"gpu": "no", "type": "admin"', tasks={"A": {"kind": "admin"}}),
    _key("a workdir", '"workdir": "/code/wind"', tasks={"A": {"workdir": "/code/wind"}}),
    _key("a workdir from an option", '"workdir": {"option": "dir"}', tasks={"A": {"workdir": "/"}}),
    _key(
        "a workdir from an output",
        '"workdir": {"output": "P.dst"}',
        ends={"P": {"dst": "/p/../q"}},
        tasks={"A": {"workdir": "/q"}},
    ),
    _key(
        "a workdir that is no path",
        '"workdir": {"output": "P.n"}',
        ends={"P": {"n": 3}},
        states={"A": "error"},
        result="error",
    ),
    _key("no workdir", '"priority": 3', tasks={"A": {"workdir": None, "priority": 3}}),
    _key("a time limit", '"timeout": "2.5"', tasks={"A": {"timeout_s": 2.5}}),
    _key("outputs as a list of names", '"outputs": ["url"]', tasks={"A": {"attempt": 1}}),
    _key(
        "a root for configuration",
        '"config": "Ocean.Wind", "args": {"x": {"config": "File"}}',
        config={"Ocean.Wind.File": "w.cfg", "Root.File": "r.cfg"},
        args={"A": {"x": "w.cfg"}},
    ),
    _key(
        "a cache",
        '"cache": {"args": ["src"], "expires": 60, "files": ["dst"], "lookup": true}',
        tasks={"A": {"reuse": None}},
        starts=("P", "A"),
    ),
    # keys nothing executes yet
    _key("any machine, three ways", '"ccnode": ""', tasks={"A": {"machines": ()}}),
    _key("any machine as null", '"ccnode": null', tasks={"A": {"machines": ()}}),
    _key("any machine as an empty pool", '"ccnode": []', tasks={"A": {"machines": ()}}),
    _key("a container around local code", '"docker": "tool:1"', awaits=("docker",)),
    _key(
        "mounts of a container",
        '"docker": "tool:1", "volumes": [["/opt/m", "/m"], ["/a", {"option": "dir"}, "rw"]]',
        awaits=("docker", "volumes"),
    ),
    _key("mounts without a container", '"volumes": [["/opt/m", "/m"]]', "W07"),
    _key("an image and replicas", '"image": "reg:5000/tool:1", "replicas": 2', awaits=("image", "replicas")),
    _key("replicas without an image", '"replicas": 2', "W07"),
    _key("an image on a machine", '"image": "tool:1", "ccnode": "seer3"', "W06", awaits=("image",)),
    _key(
        "on the head",
        '"runOnHead": true, "type": "admin"',
        tasks={"A": {"kind": "head", "on_head": True}, "P": {"kind": "normal", "on_head": False}},
    ),
    _key(
        "on the head other placements say nothing",
        '"runOnHead": true, "gpu": true, "docker": "x", "ccnode": "seer3"',
        "W07",
        "W07",
        "W07",
        tasks={"A": {"kind": "head", "machines": ()}},
    ),
    _key("not on the head", '"runOnHead": "false"'),
    _key(
        "uploads",
        '"post": [{"output": "dst", "target": {"options": "t"}, "basename": true, "remove": "no"}]',
        tasks={"A": {"uploads": (Upload("dst", "/out/", basename=True),)}},
    ),
    _key(
        "one upload",
        '"post": {"output": "dst", "target": "s3://store:9000/out/", "basename": true}',
        tasks={"A": {"uploads": (Upload("dst", "s3://store:9000/out/", basename=True),)}},
    ),
    _key(
        "uploads to where an output says",
        '"post": [{"output": "dst", "target": {"output": "P.dst"}, "remove": true}, {"output": "n", "target": "/o/"}]',
        ends={"P": {"dst": "/p/"}},
        tasks={"A": {"uploads": (Upload("dst", "/p/", remove=True), Upload("n", "/o/"))}},
    ),
    _key(
        "an upload whose target has a default",
        '"post": [{"output": "dst", "target": {"output": "P.dst", "default": "/d/"}}]',
        tasks={"A": {"uploads": (Upload("dst", "/d/"),)}},
    ),
    _key(
        "an upload to nowhere fails before anything runs",
        '"post": [{"output": "dst", "target": {"output": "P.dst"}}]',
        states={"A": "error"},
        starts=("P",),
        result="error",
    ),
    *(
        _refused(f"an upload to {what}", f'"post": {{"output": "dst", "target": "{target}"}}', "E37", says=says)
        for what, target, says in (
            ("a web server", "http://h/out/", "http:// cannot put anything"),
            ("a relative path", "rel/out/", "need absolute path"),
            ("a scheme that nobody serves", "htp://h/x/", 'unsupported scheme htp:// (did you mean "http"?)'),
            ("a URL with a password", "ssh://u:p@h/x/", "holds a password"),
        )
    ),
    _key("an upload whose paths begin in the host's name", '"post": {"output": "dst", "target": "s3://h"}', "W17"),
    _key(
        "an upload whose target is a prefix of the name",
        '"post": {"output": "dst", "target": "/out/p", "basename": true}',
        "W15",
    ),
    Case(
        "an upload into the directory that the input watches",
        """{"module": "work", "name": "A", "downstreamOf": ["In"], "post": {"output": "dst", "target": "/in/done/"}}""",
        input="""{"module": "dirwatcher", "name": "In", "args": {"src": "/in"}}""",
        modules={"dirwatcher": {"inputs": {"src": ""}, "outputs": {}, "input_type": "permanent"}},
        problems=("W16",),
        says=('"/in/done/" is in the directory that "In" watches',),
        starts=("A",),
    ),
    _key(
        "restrictions",
        '"restrictions": {"W:P.pending": "<3", "NodeController.seer3:cache.free": "> 536870912000"}',
        awaits=("restrictions",),
    ),
    _key("a service", '"serviceURL": "http://127.0.0.1:9/svc"', awaits=("serviceURL",)),
    Case(
        "a service that does not answer",
        '{"module": "geocode", "name": "G", "downstreamOf": ["In"], "serviceURL": "http://127.0.0.1:9/"}',
        modules={"geocode": "E36 connection refused"},
        problems=("E36",),
        awaits=("serviceURL",),
    ),
    # how they are refused
    _refused("a type that does not exist", '"type": "fast"', "E13"),
    _refused("a runOn that does not exist", '"runOn": "failure"', "E13"),
    _refused("an empty list for runOn", '"runOn": []', "E13"),
    _refused("always in a list", '"runOn": ["always", "error"]', "E13"),
    _refused("a timeout in words", '"timeout": "soon"', "E13"),
    _refused("arguments as a list", '"args": ["x"]', "E13"),
    _refused("outputs as a text", '"outputs": "url"', "E13"),
    _refused("provides as a text", '"provides": "Product"', "E13"),
    _refused("a root for configuration with a hole", '"config": "Ocean..Wind"', "E13"),
    _refused("a workdir that is a number", '"workdir": 3', "E13"),
    _refused("a machine that is a number", '"ccnode": 3', "E13"),
    _refused("a service that is no URL", '"serviceURL": "geo:8100"', "E13"),
    _key("no replicas", '"image": "x", "replicas": 0', "E13", awaits=("image",)),
    _key("a mount without a destination", '"docker": "x", "volumes": [["/a"]]', "E37", awaits=("docker",)),
    _key("a mount with a mode of its own", '"docker": "x", "volumes": [["/a", "/b", "rx"]]', "E37", awaits=("docker",)),
    _refused("an upload without a target", '"post": [{"output": "dst"}]', "E37", says='needs "target"'),
    _key(
        "an upload of an output nobody declares",
        '"post": [{"output": "dts", "target": "/o/"}]',
        "E37",
    ),
    _refused("a cache without arguments", '"cache": {"expires": 60}', "E37"),
    _key(
        "a cache of a tempdir",
        '"args": {"dir": {"type": "tempdir"}}, "cache": {"args": ["dir"]}',
        "E37",
    ),
    _refused("a restriction without a colon", '"restrictions": {"P.pending": "<3"}', "E34"),
    _refused("a restriction without an operator", '"restrictions": {"W:P.pending": "3"}', "E34"),
    _refused("a restriction that is a number", '"restrictions": {"W:P.pending": 3}', "E34"),
    Case(
        "keys that say nothing about an input",
        '{"module": "work", "name": "A", "downstreamOf": ["In"]}',
        input='{"module": "cmdline", "name": "In", "retry": 2, "timeout": 3, "gpu": true, "runIf": "1 == 1"}',
        problems=("W07", "W07", "W07", "W07"),
        starts=("A",),
    ),
)
