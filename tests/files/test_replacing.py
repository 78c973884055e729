"""A copy that gets a newer version under its name: nobody begins to use it in that very moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from cryocloud_core.files.disk import Disk
from cryocloud_core.files.replacing import OccupiedError
from tests.files.hostile import World, layer_of, place

QUICK: dict[str, Any] = {"sweep_every_s": 0.0, "cache_keep_s": 0.0}
LOOK_S = 0.3


@define(eq=False)
class Watched(Disk):
    """A disk that tells when a copy is about to get its name."""

    naming: Callable[[], None]

    def rename(self, source: Path, target: Path, *, durable: bool = True) -> None:
        """Give a file its name; tell before that of the copy."""
        if target.name == "copy":
            self.naming()
        super().rename(source, target, durable=durable)

    def swap_tree(self, source: Path, target: Path, aside: Path) -> None:
        """Tell, and give a directory its name."""
        self.naming()
        super().swap_tree(source, target, aside)


@define
class User:
    """Another task that begins to use a copy by its path, in a thread."""

    begin: Callable[[], None]
    threads: list[threading.Thread] = field(factory=list)
    waited: list[bool] = field(factory=list)

    def come(self) -> None:
        """Begin, and note whether it had to wait."""
        self.threads.append(threading.Thread(target=self.begin))
        self.threads[-1].start()
        self.threads[-1].join(LOOK_S)
        self.waited.append(self.threads[-1].is_alive())


@pytest.mark.parametrize("path", ["/f", "/d/"], ids=["file", "tree"])
def test_who_comes_while_a_copy_is_replaced_waits_for_the_new_one(path: str, tmp_path: Path) -> None:
    """It is used from then on: the next version is refused its place."""
    world, copy = World(), tmp_path / "copy"
    name = f"{path}a" if path.endswith("/") else path
    world.place(name, b"old")

    def fetched(disk: Disk | None = None) -> None:
        layer = layer_of(world, tmp_path / "temp", disk, **QUICK)
        try:
            layer.fetch_any(place(path), copy, sparing=True)
        finally:
            layer.release_all()

    fetched()
    other = layer_of(world, tmp_path / "temp", **QUICK)
    user = User(lambda: other.in_use(copy))
    world.place(name, b"newer")
    fetched(Watched(user.come))
    user.threads[0].join()
    assert user.waited == [True]
    assert (copy / "a" if copy.is_dir() else copy).read_bytes() == b"newer"

    world.place(name, b"newest")
    with pytest.raises(OccupiedError, match="is being used"):
        fetched()
    other.release_all()
