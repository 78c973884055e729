"""The layer against places that misbehave: whatever they do, a final name holds one whole version or what it held."""

from __future__ import annotations

import os
from collections import deque

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from cryocloud_core.errors import CryoCloudError
from cryocloud_core.files import part
from tests.files.hostile import FailingDisk, Killed, Mischief, World, layer_of, place, quick_folder

SIZES = st.sampled_from([0, 1, 999, 1000, 1001, 15_000, 16_000, 40_000])
#: what can be noticed only by a checksum
NEEDS_CHECKSUM = {"flip"}
#: what can be noticed only by a size (or a checksum)
NEEDS_SIZE = {"short", "junk", "lie"}
KINDS = ("cut", "short", "junk", "flip", "changed", "ignored", "elsewhere", "freeze", "frozen", "busy", "refuse", "bug")
KINDS += ("missing", "lie", "page", "reset", "mute")


@pytest.fixture(autouse=True, scope="module")
def small_notes() -> None:
    """Have the sidecar written every few thousand bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(part, "SMALL_BYTES", 4000)
        patch.setattr(part, "FLUSH_BYTES", 8000)
        yield


@st.composite
def mischiefs(draw: st.DrawFn) -> list[Mischief]:
    """Give a few things that go wrong, in order."""
    numbers = st.integers(-3000, 3000) | st.sampled_from([0, 40_000])
    one = st.builds(Mischief, st.sampled_from(KINDS), st.integers(0, 40_000), numbers.map(float))
    return draw(st.lists(one, max_size=6))


def sensible(world: World, wanted: list[Mischief]) -> deque[Mischief]:
    """Leave out what cannot be noticed in this world."""
    kept = [each for each in wanted if world.tells_checksum or each.kind not in NEEDS_CHECKSUM]
    known = world.tells_checksum or world.tells_size
    kept = [each for each in kept if known or each.kind not in NEEDS_SIZE]
    return deque(Mischief(m.kind, m.at, abs(m.number) if m.kind in ("changed", "busy") else m.number) for m in kept)


@settings(max_examples=1000, deadline=None)
@example(size=1, wanted=[Mischief("lie", 0, -1.0)], tells=(True, False, False, False), old=False, dies=None)
@given(
    size=SIZES,
    wanted=mischiefs(),
    tells=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
    old=st.booleans(),
    dies=st.none() | st.integers(0, 60),
)
def test_a_target_holds_one_whole_version_or_what_it_held(
    size: int, wanted: list[Mischief], tells: tuple[bool, bool, bool, bool], old: bool, dies: int | None
) -> None:
    """Whatever goes wrong, and wherever the process dies, the target is whole, and an honest try ends well."""
    world = World(tells_size=tells[0], tells_validator=tells[1], tells_checksum=tells[2], heeds_validator=tells[3])
    world.place("/f", os.urandom(size))
    world.mischief = sensible(world, wanted)
    with quick_folder() as folder:
        target = folder / "out" / "f"
        if old:
            target.parent.mkdir()
            target.write_bytes(b"old")
        try:
            layer_of(world, folder / "temp", FailingDisk(dies)).fetch(place("/f"), target)
            outcome = "fetched"
        except (CryoCloudError, Killed) as error:
            outcome = type(error).__name__
        event(outcome)
        found = target.read_bytes() if target.exists() else None
        whole = found in world.versions["/f"]
        assert whole or (outcome != "fetched" and found == (b"old" if old else None)), outcome

        world.mischief.clear()
        layer_of(world, folder / "temp").fetch(place("/f"), target)
        assert target.read_bytes() == world.contents["/f"]
        assert [path.name for path in target.parent.iterdir()] == ["f"]
        world.thaw.set()
