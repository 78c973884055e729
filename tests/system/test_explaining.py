"""What `explain` tells of a real run: who is waited for, what came from the cache, how a pebble was made."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING

import pytest
from asking import FEED, FINE, MADE, cc, explained, feed, section, step, workflow

from cryocloud_core.head.asking import ask

if TYPE_CHECKING:
    from tests.system.conftest import Place

pytestmark = pytest.mark.system


def test_a_module_that_no_worker_offers_is_waited_for_by_name(place: Place) -> None:
    """Its worker has declined it: tasks wait, bound to that machine or not, and go on when the module is mended."""
    place.workers = 1
    place.module("broken", "import no_such_package\n" + FINE)
    flow = workflow(
        place,
        feed(2, stay=True),
        step("Broken", module="broken", priority=90),
        step("Bound", module="broken", priority=80, ccnode=socket.gethostname()),
        step("Free"),
    )
    started = place.start(flow)
    lacking = r"a worker that may take it: no normal worker offers module 'broken': declined by \S+: .*no_such_package"
    waits = rf"attempt \d: waits for {lacking}"

    def told(pebble: int) -> str:
        return cc(place, "explain", pebble).out

    place.until(lambda: len(re.findall(waits, told(1))) == len(re.findall(waits, told(2))) == 2, "nothing waits for it")
    place.until(lambda: place.trace().count("end Free 1") == 2, "the worker does nothing else")
    assert re.search(rf"^  waits for Broken: {lacking}", told(2), re.MULTILINE)
    assert re.search(r"attempt 1: declined on .*\n +declined by \S+: .*no_such_package", told(1) + told(2))

    place.module("broken", FINE)
    place.until(lambda: "Broken (broken): success" in told(2), "the mended module is not taken")
    assert cc(place, "drain").status == 0
    assert started.end().status == 0


def test_a_rendezvous_tells_who_is_there_and_who_is_missing(place: Place) -> None:
    """Two of three pebbles are at the exchange; each says so, and what is behind it waits for the same."""
    inputs = [{**feed(1), "name": name} for name in "ABC"]
    steps = [step(f"W{name}", name, args={"wait": name == "C"}) for name in "ABC"]
    sync = {
        "module": "communicate",
        "name": "Sync",
        "downstreamOf": ["WA", "WB", "WC"],
        "args": {"msgid": "p1", "resolveOn": "WB"},
    }
    started = place.start(workflow(place, *inputs, *steps, sync, step("After", "Sync")))
    place.until(lambda: cc(place, "explain", 3).status == 0, "no three pebbles")
    stories = {name: pebble for pebble in (1, 2, 3) for name in "ABC" if came(place, pebble, name)}
    first, second = (stories[name] for name in "AB")
    here = rf"(pebble {first} by WA since \d s|pebble {second} by WB since \d s)"
    partners = (
        rf"under msgid \"p1\", to which it came by W[AB]; here: {here}, {here}; missing: WC; the one by WB goes on"
    )
    told = rf"    waits for a rendezvous of WA, WB, WC {partners}\n"
    for pebble in (first, second):
        place.until(lambda pebble=pebble: re.search(told, cc(place, "explain", pebble).out), "they do not wait")
        assert explained(place, pebble, "Sync").startswith("Sync (communicate): waiting\n")
        assert re.search(rf"waits for Sync: a rendezvous of .*{partners}", explained(place, pebble, "After"))

    place.allow("WC")
    assert started.end().status == 0
    assert [explained(place, stories[name], "After").split("\n")[0] for name in "ABC"] == [
        "After (step): skipped",
        "After (step): success",
        "After (step): skipped",
    ]


def came(place: Place, pebble: int, name: str) -> bool:
    """Return True when a pebble came in through an input."""
    return f"came in through {name}\n" in cc(place, "explain", pebble).out


def test_an_input_tells_that_it_made_the_pebble_with_what(place: Place) -> None:
    """The key and the time, and its arguments as far as they are kept; an input it did not come through has none."""
    place.module("keyed", FEED.replace('number}.nc"}', 'number}.nc"}, key=f"/data/{number}"').replace("stay", "kept"))
    (place.folder / "cryocloud.toml").write_text("[Flow]\nkept = false\n")
    args = {"n": {"option": "n", "default": 1}, "kept": {"config": "kept"}}
    source = {"module": "keyed", "name": "In", "downstreamOf": ["entry"], "config": "Flow", "args": args}
    flow = workflow(place, source, {**feed(0), "name": "Other", "args": {"n": 1}}, step("A"))
    document = json.loads(flow.read_text())
    document["workflow"]["options"] = {"n": {"type": "json"}}
    flow.write_text(json.dumps(document))
    assert place.run(flow, "--n", "2").status == 0

    keyed = next(pebble for pebble in (1, 2, 3) if "/data/1" in cc(place, "explain", pebble).out)
    told = cc(place, "explain", keyed).out
    made, n, kept, came_with = section(told, "In").splitlines()[1:]
    assert came_with.startswith('    came with path = "/data/')
    assert re.fullmatch(r' {4}made this pebble with key "/data/1", \d\d-\d\d \d\d:\d\d:\d\d', made)
    assert (n.split(), kept.split()) == (
        ["n", "=", "2", "option", "n"],
        ["kept", "=", "not", "kept", "config", "Flow.kept"],
    )
    assert section(told, "Other").splitlines() == ["Other (feed): skipped", "    the pebble came in through In"]


def test_restrictions_that_hold_each_other_back_for_ever_say_so(place: Place) -> None:
    """In the story, in what the run shows as blocked; giving the pebble up opens the circle."""
    first, second = ({f"flow:{name}.pending": "<1"} for name in ("B", "A"))
    flow = workflow(place, feed(2), step("A", restrictions=first), step("B", restrictions=second))
    started = place.start(flow)
    circle = "waits for restriction flow:B.pending <1: it is 2; nothing in this run opens the circle: "
    place.until(lambda: circle in cc(place, "explain", 2).out, "no circle is told")

    assert f"{circle}A waits for B, B waits for A" in explained(place, 1, "A")
    view = (ask(place.state, "status") or {})["view"]
    assert {row["node"]: row["count"] for row in view["blocked"] if "opens the circle" in row["why"]} == {
        "A": 2,
        "B": 2,
    }
    assert cc(place, "cancel", "--all").status == 0
    assert started.end().status == 1


def test_a_run_in_which_nothing_more_arrives_does_not_wait_for_a_module(place: Place) -> None:
    """Every pebble fails with the reason; the run ends."""
    place.module("broken", "import no_such_package\n" + FINE)
    ended = place.run(workflow(place, feed(6), step("Broken", module="broken")))

    assert ended.status == 1
    assert ended.lines.count("6 pebbles done (6 failed)") or "6 failed" in ended.out, ended.out
    errors = [line for line in ended.lines if "Broken: error" in line]
    assert len(errors) >= 6
    assert all("No module named 'no_such_package'" in line for line in errors)


def test_a_result_from_the_cache_says_so_and_whose_it_was(place: Place) -> None:
    """Looked up by the head, or looked at by the worker where its file lies."""
    place.module("made", MADE)
    rule = {"args": ["src"]}
    flow = workflow(
        place,
        feed(1),
        step("A", module="made", args={"src": 1}, cache=rule),
        step("B", "A", module="made", args={"src": 1}, cache=rule),
        step("C", "B", module="made", args={"src": 2}, cache={**rule, "files": ["dst"]}),
        step("D", "C", module="made", args={"src": 2}, cache={**rule, "files": ["dst"]}),
    )
    assert place.run(flow).status == 0

    told = cc(place, "explain", 1).out
    assert re.search(r"attempt 1: success on \S+ after \d", section(told, "A"))
    for node, maker in (("B", "A"), ("D", "C")):
        found = rf"attempt 1: success from the cache: what task 1/{maker}/1 returned on \S+, \d"
        assert re.search(found, section(told, node)), told
    rows = json.loads(cc(place, "explain", 1, "--json").out)["told"]["nodes"]
    assert [row["attempts"][0].get("maker", "") for row in rows[1:]] == ["", "1/A/1", "", "1/C/1"]


def test_where_a_result_is_now_is_told(place: Place) -> None:
    """The new address that `post` gave it, as text and as data; a part's when that part is asked for."""
    place.module("made", MADE)
    post = [{"output": "dst", "target": {"value": f"file://{place.folder}/out/"}, "basename": True}]
    one = step("One", module="made", args={"src": 1}, post=post)
    each = step("Each", module="made", args={"src": {"value": [2, 3]}}, splitOn="src", post=post)
    assert place.run(workflow(place, feed(1), one, each, step("M", "Each", merge=True))).status == 0

    said = f'returned dst = "file://{place.folder}/out/made-1"  post'
    assert said in section(cc(place, "explain", 1).out, "One").replace("\n", "")
    assert "made-3" not in cc(place, "explain", 1).out
    assert f'returned dst = "file://{place.folder}/out/made-3"  post' in cc(place, "explain", "1.1").out
    row = json.loads(cc(place, "explain", 1, "--json").out)["told"]["nodes"][1]
    assert (row["outputs"], row["posted"]) == ({"dst": f"file://{place.folder}/out/made-1"}, ["dst"])
    assert cc(place, "explain", "1.2").status == 1
