"""Moving files and trees between this machine and remote places: complete, verified and durable, or not at all.

Laws: what stands under a final name here is one whole version of the remote file; bookkeeping lies below
`<tempdir>/cc/`, unfinished data beside its target under `.cc-` names, and both survive the death of the process.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from attrs import define, field

from cryocloud_core.errors import RemoteFileMissing, TransferError
from cryocloud_core.files.archives import private_name
from cryocloud_core.files.durable import sync_file
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.moving import Moving
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.transfer import Outgoing, RemoteFile
from cryocloud_core.sdk.url import Url


@define(eq=False)
class Layer:
    """The transfers of one task or command on this machine; used from one thread or several.

    `check` raises when the task is told to stop; it is called often, from every thread of the layer, and what it raises
    leaves the layer within a second. `told` is handed the progress at most four times a second, one call at a time,
    from any thread.
    """

    transfers: Transfers
    settings: LayerSettings = field(factory=LayerSettings)
    check: Callable[[], None] = lambda: None
    told: Callable[[Moving], None] = lambda _: None
    _used: list[Path] = field(factory=list)
    _belonging: dict[Path, list[Path]] = field(factory=dict)

    def stat(self, url: Url) -> RemoteFile:
        """Return what the other side tells of a file or directory. Raises RemoteFileMissing, TransferError."""
        return self.transfers.to(url).stat(url)

    def fetch(self, url: Url, target: Path) -> Path:
        """Bring one file to `target`, complete, verified and durable, and return it; parents are made.

        A copy fetched before is used again when nobody touched it and the other side still has that size and
        validator. The copy counts as in use until `release_all`. Raises RemoteFileMissing, TransferError,
        ResolutionError for a scheme of nobody; then `target` is what it was.
        """
        self._bring(url, target)
        self.told(Moving(url, target.stat().st_size, target.stat().st_size, 1))
        return target

    def fetch_tree(self, url: Url, target: Path) -> Path:
        """Bring every file below a directory or prefix to below `target`, which appears whole, and return it.

        Raises RemoteFileMissing where there is no file, TransferError, also for names that cannot be files here.
        """
        base = url.text if url.text.endswith("/") else f"{url.text}/"
        files = list(self.transfers.to(url).listing(Url.parse(base)))
        if not files:
            raise RemoteFileMissing("there is no file below it", subject=str(url))
        part = target.with_name(private_name())
        try:
            for file in files:
                self.check()
                self._bring(Url.parse(file.url), part / file.url.removeprefix(base))
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return target

    def fetch_any(self, url: Url, target: Path) -> Path:
        """Fetch what `url` is: a file, or a directory (also a URL that ends in `/`)."""
        if url.path.endswith("/") or self.stat(url).is_directory:
            return self.fetch_tree(url, target)
        return self.fetch(url, target)

    def put(self, path: Path, url: Url) -> None:
        """Send a file, or every file of a directory, to `url`, over what is there, and verify that it arrived.

        What is there already with the same content is not sent again. Raises TransferError, also for a file that
        changed while it was sent; StagingError for what is no file or an empty directory.
        """
        if not path.is_dir():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            self.transfers.to(url).put(Outgoing(path, path.stat().st_size, digest), url)
            return
        for entry in sorted(path.iterdir()):
            self.put(entry, Url.parse(f"{url.text.rstrip('/')}/{entry.name}"))

    def remove(self, url: Url) -> None:
        """Remove what `url` names. Raises RemoteFileMissing, TransferError."""
        self.transfers.to(url).remove(url)

    def is_current(self, url: Url, target: Path) -> bool:
        """Return True when what was fetched from `url` to `target`, the copy or what was made of it, is still current.

        The copy itself may be gone (an archive that was unpacked), if what `belongs` to it is here. Asks the other
        side, but for `trust_local`. Raises TransferError.
        """
        return target.exists() and self.stat(url).size_bytes == target.stat().st_size

    def belongs(self, path: Path, target: Path) -> None:
        """Note that `path` was made of the copy at `target`: it is used, current and swept together with it."""
        self._belonging.setdefault(target, []).append(path)

    def in_use(self, path: Path) -> None:
        """Keep the copy at `path` (or what belongs to one) from being swept until `release_all`."""
        self._used.append(path)

    def release_all(self) -> None:
        """Let go of every copy that this layer keeps in use: the task has ended."""
        self._used.clear()

    def sweep(self) -> None:
        """Remove copies that nobody uses, the longest unused first, while over the configured size or disk share.

        Leftovers of dead transfers that are older than a day are removed too.
        """

    def _bring(self, url: Url, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(private_name())
        try:
            with self.transfers.to(url).read(url) as incoming, part.open("wb") as file:
                for chunk in incoming.chunks:
                    self.check()
                    file.write(chunk)
                size = incoming.remote.size_bytes
                if size is not None and file.tell() != size:
                    raise TransferError(f"sent {file.tell()} bytes of {size}", subject=str(url), repeat=True)
            sync_file(part)
            part.replace(target)
            sync_file(target.parent)
        finally:
            part.unlink(missing_ok=True)
