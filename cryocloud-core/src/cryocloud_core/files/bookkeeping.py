"""Where the layer keeps its books: our own folder with `meta/`, `locks/` and `hosts/`, and what is called how in them.

Laws: the directories are our own user's alone; a name is the hash of what it stands for, so that every process of a
machine finds the same; unfinished data lies beside its target under a name that the next process finds again.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
from pathlib import Path

from attrs import define, field, frozen

from cryocloud_core.errors import StagingError
from cryocloud_core.files.archives import PRIVATE_PREFIX
from cryocloud_core.files.disk import told
from cryocloud_core.files.own_folder import own_folder
from cryocloud_core.sdk.url import Url


@frozen
class Books:
    """The books below one temporary directory."""

    tempdir: Path
    _known: dict[str, Path] = field(factory=dict, init=False, eq=False, repr=False)

    @property
    def root(self) -> Path:
        """The directory of everything the layer keeps; the same for good once it is made."""
        return self._known.get("") or own_folder(self.tempdir)

    @property
    def uploads(self) -> Path:
        """The directory for the notes of transfers on uploads under way; they make it."""
        return self.root / "uploads"

    def folder(self, name: str) -> Path:
        """Return a directory of the books, made and made sure of. Raises StagingError."""
        folder = self._known.get(name) or (_lasting() if name == "taken" else None)
        if folder is None or not os.path.isdir(folder):  # noqa: PTH112 - asked for every file of a long list
            folder = self._made_root() / name
            with told(folder):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._known[name] = folder
        return folder

    def meta(self, target: Path | str) -> Path:
        """Return where it stands what the copy at `target` is; its directory was there once, `folder` makes sure."""
        return (self._known.get("meta") or self.folder("meta")) / f"{key_of(target)}.json"

    def is_noted(self, place: str) -> bool:
        """Return True when something stands in the books under that very path."""
        folder = self._known.get("meta") or self.folder("meta")
        return os.path.exists(f"{folder}/{_hash(place)}.json")  # noqa: PTH110 - asked for every file of a long list

    def swept(self, target: Path) -> Path:
        """Return where it stands what the copy that was swept from `target` had been."""
        return self.folder("swept") / f"{key_of(target)}.json"

    def taken(self, target: Path) -> Path:
        """Return where it stands what was brought to `target` for good, which is no copy of ours any more."""
        return self.folder("taken") / f"{key_of(target)}.json"

    def lock(self, target: Path) -> Path:
        """Return the file that whoever writes `target` locks where files can only be locked as a whole."""
        return self.folder("locks") / f"{key_of(target)}.lock"

    def host(self, url: Url) -> Path:
        """Return the directory of the slots of a server."""
        return self.folder(f"hosts/{_hash(f'{url.scheme}://{url.server}')}")

    def visit(self, folder: Path) -> None:
        """Note a directory in which unfinished data may be left behind. Raises StagingError."""
        note = self.folder("visited") / key_of(folder)
        if not note.exists():
            with told(note):
                note.write_bytes(os.fsencode(folder))

    def _made_root(self) -> Path:
        """Return the root, made; one that somebody else could write to is refused. Raises StagingError."""
        with told(self.tempdir):
            self.tempdir.mkdir(parents=True, exist_ok=True)
        root = _made(self.root)
        if root != self.root:  # another user was faster
            root = _made(self.root)
        found = root.stat(follow_symlinks=False)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise StagingError(
                "is not a directory of our own user", subject=str(root), remedy="set CryoCloud.Worker.tempdir"
            )
        if found.st_mode & 0o022:
            root.chmod(0o700)
        self._known[""] = root
        return root


def _lasting() -> Path | None:
    """Return the directory for what a reboot must not forget, made; None where the user has none.

    A home directory may be shared by machines, whose paths are their own.
    """
    import platformdirs  # what only uses copies does not need it

    folder = platformdirs.user_state_path("cryocloud", appauthor=False) / "brought" / platform.node()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def settled(target: Path) -> Path:
    """Return a target's one absolute name, links in the directories above it followed."""
    return Path(os.path.realpath(target.parent), target.name)


@define(eq=False)
class Settling:
    """Settles many targets as `settled` does, for a moment in which nobody moves a directory or puts a link for one."""

    _known: dict[str, str] = field(factory=dict)

    def __call__(self, target: Path) -> Path:
        """Return a target's one absolute name."""
        folder, name = os.path.split(target)
        followed = self._known.get(folder) or self._followed(folder)
        return target if followed == folder else Path(os.path.join(followed, name))  # noqa: PTH118 - one of thousands

    def _followed(self, folder: str) -> str:
        above, last = os.path.split(folder)
        if not above or not last or not {".", ".."}.isdisjoint(folder.split("/")):
            return os.path.realpath(folder)
        if above not in self._known:
            self._known[above] = os.path.realpath(above)
        followed = os.path.join(self._known[above], last)  # noqa: PTH118
        if os.path.islink(followed):  # noqa: PTH114
            followed = os.path.realpath(followed)
        self._known[folder] = followed
        return followed


def part_of(url: Url, target: Path) -> Path:
    """Return where the unfinished data of `url` lies until it is `target`."""
    return target.with_name(f"{PRIVATE_PREFIX}{_pair(url, target)}.part")


def sidecar_of(part: Path) -> Path:
    """Return where it stands what is in a part."""
    return part.with_suffix(".json")


def tree_of(url: Url, target: Path) -> Path:
    """Return the directory that becomes the tree `target` when it is complete."""
    return target.with_name(f"{PRIVATE_PREFIX}{_pair(url, target)}.tree")


def key_of(target: Path | str) -> str:
    """Return the name under which a target stands in the books."""
    return _hash(str(target))


def _made(folder: Path) -> Path:
    with told(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _pair(url: Url, target: Path) -> str:
    return _hash("\0".join((str(url), target.name)))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
