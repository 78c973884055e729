"""Arguments that are lists of small files, brought by the batch: each its own copy, wherever that has to lie."""

from __future__ import annotations

from pathlib import Path

from cryocloud_core.files.service import FileService
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.routes import Route, Routes
from tests.files.folder_transfer import staged
from tests.files.small_transfer import SmallWorld, private_files


def service(world: SmallWorld, tmp_path: Path) -> FileService:
    """Return the file service of a machine that reaches a world as `s3://`."""
    route = Route("mem", "tests.files.small_transfer:NoneForEver", "MEM")
    transfers = Transfers(Routes({"s3": route}, {"MEM": {"world": world}}))
    config = {"tempdir": str(tmp_path / "tmp"), "transfer_retries": 0, "cache_max_share": 1.0}
    return FileService.of(config, "near", transfers)


def test_keys_that_would_lie_in_each_others_way_all_come(tmp_path: Path) -> None:
    """A store has `x`, `x/y` and `x/y/z`; a disk cannot: some lie apart, and none is lost nor taken for another."""
    world = SmallWorld()
    keys = ["a", "x", "x/y", "x/y/z", "x/w", "z/y/x", "z/y", "z", "b"]
    for key in keys:
        world.place(f"/bucket/{key}", key.encode())
    urls = [f"s3://store/bucket/{key}" for key in keys]
    for _ in range(2):
        files = service(world, tmp_path)
        paths = staged(files, urls)
        assert [Path(path).read_text() for path in paths] == keys
        assert len(set(paths)) == len(keys)
        files.remote.release()
    assert private_files(tmp_path) == []


def test_keys_as_deep_as_a_store_has_them_come(tmp_path: Path) -> None:
    """In a list and alone, and again: a key of 1,024 bytes may name some five hundred directories."""
    world = SmallWorld()
    deep = "a/" * 500
    for key in ("x", "y"):
        world.place(f"/bucket/{deep}{key}", key.encode())
    files = service(world, tmp_path)
    paths = staged(files, [f"s3://store/bucket/{deep}{key}" for key in ("x", "y")])
    assert [Path(path).read_text() for path in paths] == ["x", "y"]
    assert staged(files, [f"s3://store/bucket/{deep}y"]) == paths[1:]
    assert files.remote.is_copy(Path(paths[0]))
    files.remote.release()


def test_a_list_of_one_is_fetched_as_ever(tmp_path: Path) -> None:
    """Also when it is there twice."""
    world = SmallWorld()
    world.place("/bucket/a", b"a")
    files = service(world, tmp_path)
    once, twice = staged(files, ["s3://store/bucket/a", "s3://store/bucket/a"])
    assert once == twice
    assert (world.asked, len(world.reads)) == ([], 1)
    files.remote.release()


def test_lists_of_several_servers_are_read_from_each(tmp_path: Path) -> None:
    """One call for each server that has more than one of them."""
    world = SmallWorld()
    for at in range(5):
        world.place(f"/bucket/{at}", str(at).encode())
    files = service(world, tmp_path)
    places = [("one", 0), ("two", 1), ("one", 2), ("three", 3), ("two", 4)]
    paths = staged(files, [f"s3://{server}/bucket/{at}" for server, at in places])
    assert [Path(path).read_text() for path in paths] == ["0", "1", "2", "3", "4"]
    assert world.asked == [["/bucket/0", "/bucket/2"], ["/bucket/1", "/bucket/4"]]
    assert [path for path, _, _ in world.reads] == ["/bucket/3"]
    files.remote.release()
