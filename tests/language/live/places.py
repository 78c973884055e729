"""Where a module runs: its directory, its file, its worker."""

from __future__ import annotations

from cryocloud_core.testing.case import Case

_WHERE = {"where": {"inputs": {"x": ""}, "outputs": {"n": ""}}}
_THEN = '{"module": "work", "name": "Then", "downstreamOf": ["A"], "args": {"x": {"output": "A.n"}}}'

CASES = (
    Case(
        "a module runs in its workdir",
        f'{{"module": "where", "name": "A", "downstreamOf": ["In"], "workdir": "$HERE/code"}}, {_THEN}',
        modules=_WHERE,
        code={"where": 'return 100, {"n": os.getcwd()}'},
        files={"code/some": ""},
        args={"Then": {"x": "$HERE/code"}},
    ),
    Case(
        "a workdir that is not there",
        f'{{"module": "where", "name": "A", "downstreamOf": ["In"], "workdir": "$HERE/nowhere"}}, {_THEN}',
        modules=_WHERE,
        code={"where": 'return 100, {"n": os.getcwd()}'},
        result="error",
        errors={"A": "Working directory '$HERE/nowhere' does not exist"},
        starts=(),
    ),
    Case(
        "the next task is not in the workdir of the one before",
        f"""
        {{"module": "where", "name": "A", "downstreamOf": ["B"]}},
        {{"module": "where", "name": "B", "downstreamOf": ["In"], "workdir": "$HERE/code"}},
        {_THEN.replace("A.n", "B.n")},
        {{"module": "where", "name": "C", "downstreamOf": ["A"], "runIf": "output:A.n != '$HERE/code'"}}
        """,
        modules=_WHERE,
        code={"where": 'return 100, {"n": os.getcwd()}'},
        files={"code/some": ""},
        states={"C": "success"},
        args={"Then": {"x": "$HERE/code"}},
    ),
    Case(
        "a module is found in its workdir's modules",
        f'{{"module": "own", "name": "A", "downstreamOf": ["In"], "workdir": "$HERE/code"}}, {_THEN}',
        files={
            "code/modules/own.py": "ccmodule = {'inputs': {}, 'outputs': {'n': ''}}\n"
            "def process_task(worker, task):\n    return 100, {'n': 'found'}\n"
        },
        args={"Then": {"x": "found"}},
    ),
    Case(
        "a module beside the workflow wins over an installed one of its name",
        '{"module": "noop", "name": "A", "downstreamOf": ["In"]},'
        '{"module": "work", "name": "Then", "downstreamOf": ["A"], "args": {"x": {"output": "A.n"}}}',
        modules={"noop": {"inputs": {}, "outputs": {"n": ""}}},
        code={"noop": 'return 100, {"n": "mine"}'},
        problems=("W08",),
        args={"Then": {"x": "mine"}},
    ),
    Case(
        "a module named like an installed package is ours",
        '{"module": "attrs", "name": "A", "downstreamOf": ["In"]},'
        '{"module": "work", "name": "Then", "downstreamOf": ["A"], "args": {"x": {"output": "A.n"}}}',
        modules={"attrs": {"inputs": {}, "outputs": {"n": ""}}},
        code={"attrs": 'return 100, {"n": "mine"}'},
        args={"Then": {"x": "mine"}},
    ),
    Case(
        "what lies beside a module can be imported by it",
        f'{{"module": "where", "name": "A", "downstreamOf": ["In"]}}, {_THEN}',
        modules=_WHERE,
        code={"where": 'import beside_a_module\nreturn 100, {"n": beside_a_module.VALUE}'},
        files={"beside_a_module.py": "VALUE = 'beside'\n"},
        args={"Then": {"x": "beside"}},
    ),
    Case(
        "a definition with comments, single quotes, added texts and True is read without running the file",
        f'{{"module": "quoted", "name": "A", "downstreamOf": ["In"]}}, {_THEN}',
        files={
            "quoted.py": "import sys\nccmodule = {\n  # what it is\n  'description': 'one ' + \"two\",\n"
            "  'inputs': {},\n  'outputs': {'n': 'a' + 'b',},\n  'defaults': {'resolveOnAny': True},\n}\n"
            "def process_task(worker, task):\n    return 100, {'n': ccmodule['description']}\n"
        },
        args={"Then": {"x": "one two"}},
    ),
    Case(
        "an import that fails costs the node, once it was tried elsewhere",
        '{"module": "heavy", "name": "A", "downstreamOf": ["In"]}',
        files={
            "heavy.py": "import there_is_no_such_package\nccmodule = {'inputs': {}, 'outputs': {}}\n"
            "def process_task(worker, task):\n    return 100, {}\n"
        },
        result="error",
        errors={"A": "there_is_no_such_package"},
    ),
    Case(
        "an admin task finds a worker",
        '{"module": "tidy", "name": "A", "downstreamOf": ["In"], "children": ['
        '{"module": "work", "name": "Then", "args": {"x": {"stat": "A.worker"}, "y": {"stat": "A.priority"}}}]}',
        args={"Then": {"y": 7}},
        states={"A": "success"},
    ),
    Case(
        "statistics are of this machine and this task",
        """
        {"module": "busy", "name": "P", "downstreamOf": ["In"]},
        {"module": "check", "name": "A", "downstreamOf": ["P"], "args": {
            "runtime": {"stat": "P.runtime"}, "cpu": {"stat": "P.cpu_time"}, "memory": {"stat": "P.max_memory"},
            "node": {"stat": "P.node"}, "head": {"stat": "In.node"}, "worker": {"stat": "parent.worker"}}}
        """,
        modules={
            "busy": {"inputs": {}},
            "check": {"inputs": dict.fromkeys(("runtime", "cpu", "memory", "node", "head", "worker"), "")},
        },
        code={
            "busy": "end = time.process_time() + 0.2\nwhile time.process_time() < end: pass\nreturn 100, None",
            "check": "assert 0.15 < args['cpu'] < 5 and 0.15 < args['runtime'] < 20\n"
            "assert 5e6 < args['memory'] < 1e9 and args['node'] == args['head'] and args['worker']\nreturn 100, None",
        },
    ),
    Case(
        "two files of one name are two modules, each in its own workdir",
        """
        {"module": "own", "name": "A", "downstreamOf": ["In"], "workdir": "$HERE/one"},
        {"module": "own", "name": "B", "downstreamOf": ["A"], "workdir": "$HERE/two"},
        {"module": "own", "name": "C", "downstreamOf": ["B"], "workdir": "$HERE/one"},
        {"module": "work", "name": "Then", "downstreamOf": ["C"], "args": {
            "x": {"output": "A.n"}, "y": {"output": "B.n"}, "z": {"output": "C.n"}}}
        """,
        files={
            f"{name}/own.py": "ccmodule = {'inputs': {}, 'outputs': {'n': ''}}\n"
            f"def process_task(worker, task):\n    return 100, {{'n': '{name}'}}\n"
            for name in ("one", "two")
        },
        args={"Then": {"x": "one", "y": "two", "z": "one"}},
    ),
    Case(
        "a workdir that is a dot is where the run was started, and a module is found in its modules",
        f'{{"module": "where", "name": "A", "downstreamOf": ["In"], "workdir": {{"option": "dir"}}}}, {_THEN}',
        workflow={"options": {"dir": {"default": "."}}},
        modules=_WHERE,
        code={"where": 'return 100, {"n": os.path.isabs(os.getcwd())}'},
        args={"Then": {"x": True}},
    ),
    Case(
        "a child that a module leaves behind is gone for the next task",
        """
        {"module": "leave", "name": "A", "downstreamOf": ["In"]},
        {"module": "look", "name": "B", "downstreamOf": ["A"], "args": {"x": {"output": "A.n"}}}
        """,
        modules={"leave": {"inputs": {}, "outputs": {"n": "a process"}}, "look": {"inputs": {"x": ""}}},
        code={
            "leave": 'import subprocess\nreturn 100, {"n": subprocess.Popen(["sleep", "60"]).pid}',
            "look": "path = f\"/proc/{args['x']}/stat\"\n"
            'state = open(path).read().rpartition(")")[2].split()[0] if os.path.exists(path) else "gone"\n'
            'assert state in ("Z", "X", "gone"), state\nreturn 100, None',
        },
        states={"B": "success"},
    ),
)
