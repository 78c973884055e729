"""Names of files in remote directories: what they are here, and which are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.errors import TransferError
from cryocloud_core.files.tree_names import entries_of
from cryocloud_core.sdk.transfer import RemoteFile
from cryocloud_core.sdk.url import Url

BASE = Url.parse("s3://h:9/b/p/")


def listed(*names: str) -> list[RemoteFile]:
    """Return a listing of files of one byte."""
    return [RemoteFile(f"s3://h:9/b/p/{name}", 1) for name in names]


def test_names_are_what_follows_the_directory() -> None:
    """Whether the URL ends in a slash or not; spaces, `#`, `?` and `%` belong to names."""
    for url in (BASE, Url.parse("s3://h:9/b/p")):
        assert list(entries_of(url, listed("a b", "c/d#1?x%20"))[0]) == ["a b", "c/d#1?x%20"]


@pytest.mark.parametrize(
    "name", ["../x", "a/../x", "..", ".", "./a", "/etc/passwd", "a//b", "a/", "n" * 256, "é" * 128, "a/./b"]
)
def test_a_name_that_leads_elsewhere_or_cannot_be_is_refused(name: str) -> None:
    """Before a byte moves, with the name and the directory."""
    with pytest.raises(TransferError, match=r"s3://h:9/b/p/: .*cannot be a file here"):
        entries_of(BASE, listed("good", name))


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("x/y/z", "x/y"), ("x/y/z", "x")])
def test_names_that_stand_for_two_things_are_refused(names: tuple[str, ...]) -> None:
    """A file twice, or a file and a directory."""
    for order in (names, names[::-1]):
        with pytest.raises(TransferError):
            entries_of(BASE, listed(*order))


def test_names_that_differ_in_case_are_one_only_on_disks_that_fold_it() -> None:
    """Folders count too, and so do two spellings of one letter."""
    for names in (("A", "a"), ("x/A", "X/b"), ("\u00e9", "e\u0301")):
        assert len(entries_of(BASE, listed(*names)).files) == 2
        with pytest.raises(TransferError, match="one name on this disk"):
            entries_of(BASE, listed(*names), folds_case=True)


def test_a_file_that_lies_elsewhere_is_refused() -> None:
    """A listing that names what was not asked for."""
    for url in ("s3://h:9/b/q/x", "s3://h:9/b/px"):
        with pytest.raises(TransferError, match="does not lie below"):
            entries_of(BASE, [RemoteFile(url, 1)])


def test_markers_of_directories_are_directories() -> None:
    """Empty objects with a slash at the end, and what a listing calls a directory; the root itself is nothing."""
    marks = [RemoteFile(f"s3://h:9/b/p/{name}", 0) for name in ("", "e/", "d/e/")]
    found = entries_of(BASE, [*marks, RemoteFile("s3://h:9/b/p/k", is_directory=True), *listed("d/f")])

    assert list(found.files) == ["d/f"]
    assert found.folders == ["e", "d/e", "k"]


def test_a_directory_marker_beside_a_file_of_its_name_is_refused() -> None:
    """`a/` and `a` cannot both be here."""
    with pytest.raises(TransferError, match="both a file and a directory"):
        entries_of(BASE, [RemoteFile("s3://h:9/b/p/a/", 0), *listed("a")])


def test_unfinished_data_of_ours_is_left_out() -> None:
    """What another machine has not finished is no content."""
    assert list(entries_of(BASE, listed(".cc-1.part", "d/.cc-2.tree/x", ".ccx", "y")).files) == [".ccx", "y"]


@given(st.lists(st.text(st.sampled_from("ab./"), min_size=1, max_size=6), max_size=6, unique=True))
def test_whatever_passes_is_inside_and_can_be_made(names: list[str]) -> None:
    """No two names get in each other's way, and none leads out."""
    try:
        files = entries_of(BASE, listed(*names)).files
    except TransferError:
        return
    parts = [tuple(name.split("/")) for name in files]

    assert all(part not in ("", ".", "..") for each in parts for part in each)
    assert not any(one != other and other[: len(one)] == one for one in parts for other in parts)
