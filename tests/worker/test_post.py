"""Post: what of a task's outputs is sent where, what stands in their place, and what stays behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cryocloud_core.files.service import FileService
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.task import Upload
from cryocloud_core.worker.post import Post, PostError
from tests.files.folder_transfer import FolderTransfer, forget, routes_to

PATIENCE_S = 20.0
NAMES = (
    "r.nc",
    "a b.nc",
    "#hash?%41&.nc",
    "line\nbreak",
    "æøå-日本",
    b"raw\xff\xfe".decode("utf-8", "surrogateescape"),
)

Send = Callable[..., dict[str, Any]]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Path]:
    """Give the folder in which each server has one."""
    forget()
    made = tmp_path / "servers"
    made.mkdir()
    yield made
    forget()


@pytest.fixture
def warned() -> list[str]:
    """Give the warnings of a post."""
    return []


@pytest.fixture
def send(servers: Path, tmp_path: Path, warned: list[str]) -> Send:
    """Give ``send(outputs, Upload(…), …)``: what becomes of a task's outputs."""

    def sent(outputs: dict[str, Any], *uploads: Upload) -> dict[str, Any]:
        transfers = Transfers(routes_to(servers, "s3", "ssh", "http"))
        files = FileService.of({"tempdir": str(tmp_path / "tmp")}, "near", transfers)
        return Post(files, warned.append).sent(uploads, outputs)

    return sent


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Give the directory into which a module wrote."""
    made = tmp_path / "x"
    made.mkdir()
    return made


def write(path: Path, text: str = "result") -> str:
    """Write a file and return its path as a module would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_the_destination_is_target_and_name_or_target_and_path(send: Send, servers: Path, out: Path) -> None:
    """Plain concatenation: a target is a prefix."""
    path = write(out / "r.nc")

    outputs = {"a": path, "b": path, "c": path, "other": 7}
    found = send(
        outputs,
        Upload("a", "s3://store:9000/out/", basename=True),
        Upload("b", "s3://store:9000/out/"),
        Upload("c", "s3://store:9000/out/run-", basename=True),
    )
    assert found == {
        "a": "s3://store:9000/out/r.nc",
        "b": f"s3://store:9000/out{path}",
        "c": "s3://store:9000/out/run-r.nc",
        "other": 7,
    }
    assert outputs["a"] == path
    for url in (found["a"], found["b"], found["c"]):
        assert (servers / url.removeprefix("s3://")).read_text() == "result"
    assert Path(path).exists()


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("target", ["s3://store/out/", "ssh://far/out/"])
def test_any_name_is_kept(name: str, target: str, send: Send, servers: Path, out: Path) -> None:
    """No character of it means anything."""
    found = send({"a": write(out / name)}, Upload("a", target, basename=True))

    assert found == {"a": f"{target}{name}"}
    assert (servers / target.partition("://")[2] / name).read_text() == "result"


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_local_target_is_copied_to(scheme: str, send: Send, out: Path, tmp_path: Path) -> None:
    """Its directories are made; the output says it as the target did."""
    path = write(out / "r.nc")
    target = f"{scheme}{tmp_path}/archive/"

    assert send({"a": path}, Upload("a", target, basename=True)) == {"a": f"{target}r.nc"}
    assert (tmp_path / "archive/r.nc").read_text() == "result"
    assert [path.name for path in (tmp_path / "archive").iterdir()] == ["r.nc"]


def test_lists_go_item_by_item_and_nulls_stay(send: Send, servers: Path, out: Path) -> None:
    """As a loop or a merge returns them, lists in lists too."""
    one, two = write(out / "one"), write(out / "two")
    value = [one, None, two, [one, None]]

    found = send({"a": value}, Upload("a", "s3://store/out/", basename=True))
    url = "s3://store/out/"
    assert found == {"a": [f"{url}one", None, f"{url}two", [f"{url}one", None]]}
    assert sorted(path.name for path in (servers / "store/out").iterdir()) == ["one", "two"]
    assert FolderTransfer.asked[f"put {url}one"] == 1
    assert send({"a": []}, Upload("a", url)) == {"a": []}


def test_what_is_null_or_missing_is_skipped_with_a_warning(send: Send, warned: list[str]) -> None:
    """The log says which output and where it was to go."""
    assert send({"a": None}, Upload("a", "s3://store/"), Upload("b", "s3://store/")) == {"a": None}
    assert len(warned) == 2
    assert "'a' is null" in warned[0]
    assert "'b' was not returned" in warned[1]
    assert all("s3://store/" in text for text in warned)
    assert not FolderTransfer.asked


def test_a_directory_goes_with_all_that_is_in_it(send: Send, servers: Path, out: Path) -> None:
    """Its URL on a store without directories ends in a slash, so that it can be staged again."""
    write(out / "p.SAFE/manifest", "m")
    write(out / "p.SAFE/deep/b.nc", "b")
    outputs = {"a": f"{out}/p.SAFE/", "b": f"{out}/p.SAFE"}

    found = send(outputs, Upload("a", "s3://store/out/", basename=True), Upload("b", "ssh://far/out/", basename=True))
    assert found == {"a": "s3://store/out/p.SAFE/", "b": "ssh://far/out/p.SAFE"}
    for server in ("store", "far"):
        assert (servers / server / "out/p.SAFE/deep/b.nc").read_text() == "b"
        assert (servers / server / "out/p.SAFE/manifest").read_text() == "m"


def test_one_output_may_go_to_several_places(send: Send, servers: Path, out: Path) -> None:
    """Each time the file that the module returned; the last place is the output's value."""
    path = write(out / "r.nc")

    found = send(
        {"a": path},
        Upload("a", "s3://store/out/", basename=True, remove=True),
        Upload("a", "ssh://far/out/", basename=True),
    )
    assert found == {"a": "ssh://far/out/r.nc"}
    assert (servers / "store/out/r.nc").exists()
    assert (servers / "far/out/r.nc").exists()
    assert not Path(path).exists()


def test_remove_takes_files_and_directories_away_once_all_is_sent(send: Send, out: Path) -> None:
    """Not before: a task that fails here is repeated with what it made."""
    file, kept = write(out / "r.nc"), write(out / "kept.nc")
    write(out / "d/a")

    with pytest.raises(PostError, match=r"postprocessing 'c' failed: .*/no/such: does not exist"):
        send({"a": file, "c": "/no/such"}, Upload("a", "s3://store/", remove=True), Upload("c", "s3://store/"))
    assert Path(file).exists()
    send(
        {"a": [file, f"{out}/d"], "b": kept},
        Upload("a", "s3://store/", remove=True),
        Upload("b", "s3://store/"),
    )
    assert [path.name for path in out.iterdir()] == ["kept.nc"]


def test_a_target_that_is_the_file_itself_keeps_it(send: Send, out: Path) -> None:
    """Nothing to copy, nothing to remove."""
    path = write(out / "r.nc")

    assert send({"a": path}, Upload("a", "/", remove=True)) == {"a": path}
    assert Path(path).read_text() == "result"


def test_two_files_never_become_one(send: Send, servers: Path, out: Path) -> None:
    """The second would replace the first; the error says how to keep them apart."""
    one, two = write(out / "1/r.nc"), write(out / "2/r.nc")

    with pytest.raises(PostError, match=r'would both become s3://store/r\.nc; leave out "basename"'):
        send({"a": [one, two]}, Upload("a", "s3://store/", basename=True))
    assert not FolderTransfer.asked
    assert send({"a": [one, two, one]}, Upload("a", "s3://store/"))
    assert len(list((servers / "store").rglob("r.nc"))) == 2


@pytest.mark.parametrize("value", [7, {"path": "/a"}, "rel/a", "s3://store/a", "/", True])
def test_what_is_no_local_path_is_a_wrong_output(value: Any, send: Send) -> None:
    """No repeat can help; the output is named."""
    with pytest.raises(PostError, match="postprocessing 'a' failed: ") as caught:
        send({"a": value}, Upload("a", "s3://store/out/"))
    assert caught.value.permanent


@pytest.mark.parametrize("target", ["gopher://h/", "rel/", "s3:/store/"])
def test_a_target_that_nobody_serves_is_told(target: str, send: Send, out: Path) -> None:
    """By its output."""
    with pytest.raises(PostError, match="postprocessing 'a' failed: ") as caught:
        send({"a": write(out / "r.nc")}, Upload("a", target))
    assert caught.value.permanent


def test_the_files_of_a_list_are_sent_several_at_a_time(send: Send, servers: Path, out: Path) -> None:
    """Each waits for the others to be on their way."""
    barrier = threading.Barrier(3)
    FolderTransfer.held_up = staticmethod(lambda: barrier.wait(PATIENCE_S))

    send({"a": [write(out / name) for name in "abc"]}, Upload("a", "s3://store/out/", basename=True))
    assert sorted(path.name for path in (servers / "store/out").iterdir()) == ["a", "b", "c"]


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_target_on_this_machine_that_is_the_file_itself_keeps_it(kind: str, send: Send, out: Path) -> None:
    """Though it is written as a URL; sent over itself it would look changed meanwhile."""
    path = out / "r"
    write(path if kind == "file" else path / "f")
    target = f"ssh://localhost{out}/"

    assert send({"a": str(path)}, Upload("a", target, basename=True, remove=True)) == {"a": f"{target}r"}
    assert (path if kind == "file" else path / "f").read_text() == "result"
    assert not FolderTransfer.asked


def test_the_path_of_a_file_url_is_what_follows_the_target(send: Send, servers: Path, out: Path) -> None:
    """As of the same file given as a path."""
    path = write(out / "r.nc")

    assert send({"a": f"file://{path}"}, Upload("a", "s3://store/out/")) == {"a": f"s3://store/out{path}"}
    assert (servers / f"store/out{path}").read_text() == "result"


def test_a_directory_is_not_sent_into_itself_and_stays(send: Send, out: Path) -> None:
    """What was copied would be removed with it."""
    write(out / "d/a")

    with pytest.raises(PostError, match="into itself"):
        send({"a": f"{out}/d"}, Upload("a", f"{out}/d/backup/", basename=True, remove=True))
    assert [path.name for path in (out / "d").iterdir()] == ["a"]


def test_a_link_to_nothing_in_a_directory_is_told(send: Send, out: Path) -> None:
    """A store has no links."""
    write(out / "d/a")
    (out / "d" / "lost").symlink_to("/nowhere/at/all")

    with pytest.raises(PostError, match=r"d/lost: cannot be sent: No such file"):
        send({"a": f"{out}/d"}, Upload("a", "s3://store/out/", basename=True))
