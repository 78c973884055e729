"""Archives that must not get through: refused with a word, nothing left behind, nothing written elsewhere."""

from __future__ import annotations

import io
import tarfile
import warnings
import zipfile

from cryocloud_core.testing.case import Case

_A = '{"module": "work", "name": "A", "downstreamOf": ["In"], "args": {"src": %s}}'
_UNZIP = '{"value": "$HERE/d/%s", "type": "file", "unzip": true}'


def _tar(**links: str) -> bytes:
    """Return a tar with a file and symbolic links."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("real.txt")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"real"))
        for name, target in links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
    return made.getvalue()


def _special(kind: bytes, target: str = "") -> bytes:
    """Return a tar with one member that is neither a file nor a directory."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("special")
        entry.type, entry.linkname = kind, target
        tar.addfile(entry)
    return made.getvalue()


def _twice() -> bytes:
    """Return a zip with two members of one name."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive, warnings.catch_warnings(action="ignore"):
        archive.writestr("name.txt", "first")
        archive.writestr("name.txt", "second")
    return made.getvalue()


def _zip(*, encrypted: bool = False, **members: str) -> bytes:
    """Return a zip; an encrypted one only says that it is."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    found = bytearray(made.getvalue())
    if encrypted:
        for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            found[found.index(mark) + flags] |= 1
    return bytes(found)


def _refused(title: str, name: str, content: object, told: str, **then: object) -> Case:
    folder = name.partition(".")[0]
    return Case(
        title,
        _A % (_UNZIP % name),
        files={f"d/{name}": content},  # type: ignore[dict-item]
        result="error",
        starts=(),
        errors={"A": told},
        exists={
            f"$HERE/d/{name}": True,
            f"$HERE/d/{folder}": False,
            "$HERE/evil.txt": False,
            "$HERE/d/evil.txt": False,
        },
        **then,  # type: ignore[arg-type]
    )


def _delivered(title: str, name: str, content: object, entries: list[str]) -> Case:
    folder = name.partition(".")[0]
    return Case(
        title,
        _A % (_UNZIP % name),
        files={f"d/{name}": content},  # type: ignore[dict-item]
        args={"A": {"src": [f"$HERE/d/{folder}/{entry}" for entry in entries]}},
        exists={f"$HERE/d/{name}": True, f"$HERE/d/{folder}": True},
    )


CASES = (
    _refused("a member above its directory", "up.zip", {"ok.txt": "", "../evil.txt": "x"}, "evil.txt"),
    _refused("a member with a path of its own", "root.zip", {"/evil.txt": "x"}, "evil.txt"),
    _refused("a link that leads out", "out.tar", _tar(link="../../evil.txt"), "link"),
    _refused("a link to a path of its own", "etc.tar", _tar(link="/etc/passwd"), "link"),
    _refused("a hard link that leads out", "hard.tar", _special(tarfile.LNKTYPE, "../../evil.txt"), "evil.txt"),
    _refused("a device", "device.tar", _special(tarfile.CHRTYPE), "special"),
    _refused("a pipe", "pipe.tar", _special(tarfile.FIFOTYPE), "special"),
    _refused("an encrypted archive", "secret.zip", _zip(encrypted=True, a="text"), "encrypted"),
    _refused("an archive that breaks off", "half.zip", _zip(a="x" * 5000)[:2000], "half.zip"),
    _delivered("a link that stays inside is kept", "in.tar", _tar(link="real.txt"), ["link", "real.txt"]),
    _delivered("an archive of nothing is a list of nothing", "empty.zip", {}, []),
    _delivered("hidden files do not count", "dots.zip", {".hidden": "", "seen": "", "deep/er": ""}, ["deep", "seen"]),
    _delivered("names that differ in capitals alone", "case.zip", {"A.txt": "", "a.txt": ""}, ["A.txt", "a.txt"]),
    Case(
        "of two members of one name the last counts",
        """
        {"module": "read", "name": "A", "downstreamOf": ["In"], "args": {"src": {
            "value": "$HERE/d/twice.zip", "type": "file", "unzip": true}}},
        {"module": "work", "name": "Then", "downstreamOf": ["A"], "args": {"x": {"output": "A.n"}}}
        """,
        files={"d/twice.zip": _twice()},
        modules={"read": {"inputs": {"src": ""}, "outputs": {"n": ""}}},
        code={"read": "(path,) = args['src']\nreturn 100, {'n': open(path).read()}"},
        args={"Then": {"x": "second"}},
    ),
    Case(
        "an archive that was replaced by a newer one is unpacked anew",
        """
        {"module": "work", "name": "A", "downstreamOf": ["In"], "args": {"src": {
            "value": "$HERE/d/p.zip", "type": "file", "unzip": true}}},
        {"module": "renew", "downstreamOf": ["A"]},
        {"module": "work", "name": "B", "downstreamOf": ["renew"], "args": {"src": {
            "value": "$HERE/d/p.zip", "type": "file", "unzip": true}}},
        {"module": "work", "name": "C", "downstreamOf": ["B"], "args": {"src": {
            "value": "$HERE/d/p.zip", "type": "file", "unzip": true}}}
        """,
        files={"d/p.zip": {"old.txt": "old"}},
        modules={"renew": {"inputs": {}}},
        code={
            "renew": "import zipfile\nwith zipfile.ZipFile(f'{here}/new.zip', 'w') as archive:\n"
            "    archive.writestr('new.txt', 'longer')\nos.replace(f'{here}/new.zip', f'{here}/d/p.zip')\n"
            "return 100, None"
        },
        args={
            "A": {"src": ["$HERE/d/p/old.txt"]},
            "B": {"src": ["$HERE/d/p/new.txt"]},
            "C": {"src": ["$HERE/d/p/new.txt"]},
        },
        exists={"$HERE/d/p/old.txt": False},
    ),
)
