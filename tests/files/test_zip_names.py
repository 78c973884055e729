"""Names in zips that do not say how they are encoded: what is delivered is what the packer's user saw."""

from __future__ import annotations

import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen

from cryocloud_core.errors import ArchiveError
from cryocloud_core.files.archives import limits_from, unpack_into

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
NAME = "Tromsø ö 雪.dat"


@frozen
class Made:
    """A member as some packer writes it: the bytes of its name, flags and extra field."""

    name: bytes
    flags: int = 0
    extra: bytes = b""
    content: bytes = b"snow"
    system: int = 3


def packed(path: Path, *members: Made) -> Path:
    """Write a zip of stored members, byte by byte."""
    data, directory = b"", b""
    for each in members:
        size = len(each.content)
        sizes = (zlib.crc32(each.content), size, size, len(each.name), len(each.extra))
        made_by, at = each.system << 8 | 30, len(data)
        data += _LOCAL.pack(b"PK\x03\x04", 10, each.flags, 0, 0, 0x21, *sizes) + each.name + each.extra + each.content
        head = _CENTRAL.pack(b"PK\x01\x02", made_by, 10, each.flags, 0, 0, 0x21, *sizes, 0, 0, 0, 0, at)
        directory += head + each.name + each.extra
    count = len(members)
    path.write_bytes(data + directory + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), len(data), 0))
    return path


def unicode_path(name: bytes, of: bytes, version: int = 1) -> bytes:
    """Return the extra field of Info-ZIP that says a name beside the bytes `of`, after a field of another kind."""
    data = struct.pack("<BL", version, zlib.crc32(of)) + name
    return struct.pack("<2H", 0x9999, 3) + b"abc" + struct.pack("<2H", 0x7075, len(data)) + data


def names(folder: Path, *members: Made) -> list[str]:
    """Return what unpacking gives."""
    out = folder / "out"
    out.mkdir()
    unpack_into(packed(folder / "a.zip", *members), out, limits_from({}), lambda: None)
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())


def refused(folder: Path, match: str, *members: Made) -> None:
    """Assert that members are refused and nothing is left of them."""
    with pytest.raises(ArchiveError, match=match):
        names(folder, *members)
    assert list((folder / "out").iterdir()) == []


@pytest.mark.parametrize("system", [0, 3])
def test_bytes_that_are_utf_8_are_taken_for_it_without_the_flag(system: int, tmp_path: Path) -> None:
    """So writes Info-ZIP where the locale says nothing of UTF-8."""
    assert names(tmp_path, Made(NAME.encode(), system=system)) == [NAME]


def test_the_content_under_such_a_name_is_whole(tmp_path: Path) -> None:
    """The name in the member's own header is compared too."""
    names(tmp_path, Made(NAME.encode()), Made("ø/å".encode(), content=b"far" * 1000))

    assert (tmp_path / "out" / NAME).read_bytes() == b"snow"
    assert (tmp_path / "out" / "ø" / "å").read_bytes() == b"far" * 1000


def test_what_is_no_utf_8_is_code_page_437(tmp_path: Path) -> None:
    """As every packer of old times wrote it."""
    assert names(tmp_path, Made("Müller.dat".encode("cp437")), Made(b"plain")) == ["Müller.dat", "plain"]


def test_a_name_that_is_marked_as_utf_8_is_that(tmp_path: Path) -> None:
    """With the flag nothing is guessed."""
    assert names(tmp_path, Made(NAME.encode(), flags=0x800)) == [NAME]


@pytest.mark.parametrize("raw", [b"Troms_.dat", "Trømsö.dat".encode(), "Müller.dat".encode("cp437")])
def test_the_unicode_path_beside_a_name_counts_before_all(raw: bytes, tmp_path: Path) -> None:
    """Info-ZIP says there what the name really is."""
    assert names(tmp_path, Made(raw, extra=unicode_path(NAME.encode(), raw))) == [NAME]


@pytest.mark.parametrize(
    "extra",
    [
        unicode_path(NAME.encode(), b"another name"),
        unicode_path(NAME.encode(), b"old.dat", version=2),
        unicode_path(b"\xff\xfe", b"old.dat"),
        unicode_path(b"", b"old.dat"),
    ],
)
def test_a_unicode_path_that_does_not_fit_says_nothing(extra: bytes, tmp_path: Path) -> None:
    """The name may have been changed by a tool that does not know of the field."""
    assert names(tmp_path, Made(b"old.dat", extra=extra)) == ["old.dat"]


@pytest.mark.parametrize("name", ["../ø", "/ø", "ø/../../x"])
def test_names_are_judged_as_they_come_out(name: str, tmp_path: Path) -> None:
    """A field that says where to climb is no way around the rules."""
    refused(tmp_path, "climbs out|absolute", Made(name.encode()))


@pytest.mark.parametrize("name", ["../x", "/x", "a\0b"])
def test_a_unicode_path_cannot_lead_out(name: str, tmp_path: Path) -> None:
    """What the plain name looks like does not matter then."""
    refused(tmp_path, "climbs out|absolute", Made(b"good", extra=unicode_path(name.encode(), b"good")))


def test_two_members_whose_names_come_to_one_are_refused(tmp_path: Path) -> None:
    """One of them would be lost without a word."""
    refused(tmp_path, "two members that are called 'ø'", Made("ø".encode()), Made("ø".encode(), flags=0x800))


def test_members_of_one_name_are_as_ever_the_last_one(tmp_path: Path) -> None:
    """Somebody packed a newer version behind the older one."""
    assert names(tmp_path, Made("ø".encode()), Made("ø".encode(), content=b"newer")) == ["ø"]
    assert (tmp_path / "out" / "ø").read_bytes() == b"newer"


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_that_the_program_zip_writes(locale: str, program: Callable[[str], str], tmp_path: Path) -> None:
    """Whatever the locale it ran in."""
    (tmp_path / NAME).write_bytes(b"snow")
    (tmp_path / "out").mkdir()
    subprocess.run([program("zip"), "-q", "a.zip", NAME], cwd=tmp_path, env={"LC_ALL": locale}, check=True, timeout=60)

    unpack_into(tmp_path / "a.zip", tmp_path / "out", limits_from({}), lambda: None)

    assert [path.name for path in (tmp_path / "out").iterdir()] == [NAME]
