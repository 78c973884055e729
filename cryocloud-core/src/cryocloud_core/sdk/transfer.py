"""The contract of transfers: moving bytes between this machine and one kind of remote place.

Laws: a transfer knows one protocol and nothing of parts, retries, resume or renaming on this side, which the layer
above does for all of them; what it can do is declared as data; its errors are TransferErrors that name endpoint and
path and say whether trying again can help; on the other side a name never holds half a file that we put.
"""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

from attrs import define, evolve, field, frozen

from cryocloud_core.errors import ConfigError, RemoteFileMissing, TransferError
from cryocloud_core.graph.spelling import as_key
from cryocloud_core.sdk.url import Url
from cryocloud_core.secrets import Secret, reveal

#: what `read_small` reads at most of one file, in bytes
SMALL_BYTES = 1024 * 1024
#: seconds after which who waits for several answers is told that nothing came
BEAT_S = 0.25


@frozen
class Abilities:
    """What a transfer can do beside a plain read.

    `folders`: a directory can be without a file in it; where it cannot, empty ones are not sent.

    `streams`: how many ranged reads of one large file at a time pay, 1 for none beside each other. `side_by_side`: how
    many small files at a time `read_small` brings and `stat_many` tells of, 0 where there is no such thing.
    `snapshots`: one read gives one version, whatever becomes of the name meanwhile, or RemoteFileChanged; where it may
    not, the layer asks again after the last byte.
    """

    ranges: bool = False
    put: bool = False
    remove: bool = False
    listing: bool = False
    streams: int = 1
    folders: bool = False
    side_by_side: int = 0
    snapshots: bool = False


@frozen
class RemoteFile:
    """What the other side tells of a file: everything beside its place may be unknown.

    `validator` changes when the content does (an ETag; size and time of change); `checksum` is `algorithm:hex` with an
    algorithm of hashlib, of the whole content; `media_type` in lower case, without parameters; `in_parts` is False
    where the other side does not say that it sends parts of it.
    """

    url: str
    size_bytes: int | None = None
    validator: str | None = None
    checksum: str | None = None
    media_type: str = ""
    is_directory: bool = False
    immutable: bool = False
    in_parts: bool = True


@define(eq=False)
class Incoming:
    """An answer that is being read: what it says of the file, where its bytes begin, and the bytes.

    `start` is 0 where the other side ignored the wanted range. `tells_end` says that `chunks` raises for a file that is
    cut off though its size is not known, as HTTP's chunked answers allow. Used as a context manager; leaving closes it.
    """

    remote: RemoteFile
    chunks: Iterator[bytes]
    start: int = 0
    close: Callable[[], None] = lambda: None
    tells_end: bool = False

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the answer, read to its end or not."""
        self.close()


@frozen
class SmallFile:
    """A file that was read whole: what the answer tells of it, and its content."""

    remote: RemoteFile
    content: bytes


@frozen
class Outgoing:
    """A file of ours to be put: it does not change meanwhile. `sha256` is the hex digest of its content.

    `moved` is to be called with the number of bytes each time some were sent, with 0 now and then while none are; it
    raises when the transfer is to stop. `notes` is a folder of this machine, made when needed, for what a transfer
    must remember should this process be killed; None where nothing is to be kept.
    """

    path: Path
    size_bytes: int
    sha256: str
    moved: Callable[[int], None] = lambda _: None
    notes: Path | None = None


@frozen
class TransferConfig:
    """The settings of one kind of transfer (`S3`, `SSH`, …): per server, else for all of its servers.

    A server's own settings stand under its name, dots as they are or as `_`, with its port (`store.local:9000`, or with
    `_` for the colon too), else without. `root` is where all of them stand, for messages; `settings` are the names that
    there are, if they are known: by them a server's table is told from a setting that is one.
    """

    values: Mapping[str, Any] = field(factory=dict)
    root: str = ""
    settings: frozenset[str] = frozenset()

    def get(self, url: Url, name: str, default: Any = None) -> Any:
        """Return a setting for the server of `url`, a secret revealed. Raises ConfigError for one that is lost."""
        for server, table in self.tables(url):
            if table.get(name) is not None:
                return self._revealed(table[name], as_key(server), name)
        general = self._general(name)
        if general is None or (isinstance(general, Mapping) and not general):
            return default
        return self._revealed(general, name)

    def without(self, names: Collection[str]) -> TransferConfig:
        """Return these settings without some that are for all servers; what is a server's own stays."""
        own = {name: self._servers_below(name) for name in names}
        return evolve(self, values={**self.values, **own})

    def _general(self, name: str) -> Any:
        """Return a setting of all servers, without the tables of servers whose dotted names begin like it."""
        servers = self._servers_below(name)
        if not servers:
            return self.values.get(name)
        return {key: each for key, each in self.values[name].items() if key not in servers}

    def _servers_below(self, name: str) -> dict[str, Any]:
        found = self.values.get(name)
        if not isinstance(found, Mapping) or Secret.of(found) is not None:
            return {}
        return {key: each for key, each in found.items() if self._is_of_server(each)}

    def _is_of_server(self, found: Any) -> bool:
        if not isinstance(found, Mapping) or Secret.of(found) is not None:
            return False
        return any(key in self.settings or self._is_of_server(each) for key, each in found.items())

    def _revealed(self, value: Any, *names: str) -> Any:
        """Return a value with its secrets; one that is lost is told with the setting that needs it."""
        try:
            return reveal(value)
        except ConfigError as error:
            setting = ".".join(each for each in (self.root, *names) if each)
            lost = error.subject or error.place
            raise ConfigError(error.message, subject=lost, place=setting, remedy=error.remedy) from error

    def section(self, url: Url) -> str:
        """Return the key of the server's own settings, for messages: the one that is there, else the one to write."""
        plain = url.host.replace(".", "_")
        return as_key(next((name for name, _ in self.tables(url)), f"{plain}_{url.port}" if url.port else plain))

    def where(self, url: Url, name: str) -> str:
        """Return the key below the root where a setting stands, or, where there is none, belongs: for messages."""
        own = (as_key(server) for server, table in self.tables(url) if table.get(name) is not None)
        usual = self._general(name)
        is_usual = usual is not None and usual != {}
        return next((f"{each}.{name}" for each in own), name if is_usual else f"{self.section(url)}.{name}")

    def tables(self, url: Url) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the server's own tables with their names as they are written, the nearest first."""
        plain = url.host.replace(".", "_")
        ported = (f"{plain}:{url.port}", f"{url.host}:{url.port}", f"{plain}_{url.port}") if url.port else ()
        for name in dict.fromkeys((*ported, plain, url.host)):
            found = self.values.get(name, self._below(name))
            if isinstance(found, Mapping):
                yield name, found

    def _below(self, name: str) -> Any:
        """Return what a dotted name leads to: in the configuration a quoted name with dots is several tables."""
        found: Any = self.values
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found


class KnownSettings(Protocol):
    """All settings of a transfer, in a module that imports none of its libraries, so that they are judged at once."""

    #: as `Transfer.settings`
    names: ClassVar[frozenset[str]]

    @staticmethod
    def of(config: TransferConfig, url: Url) -> object:
        """Read what is configured for the server of `url`. Raises ConfigError, about one setting by its full name."""


class Transfer(ABC):
    """One protocol. A worker makes one instance per kind and uses it from several threads."""

    abilities: ClassVar[Abilities]
    #: the names of all its settings, so that another one is refused; empty: not known, nothing is refused
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, config: TransferConfig) -> None:
        self.config = evolve(config, settings=type(self).settings)

    @abstractmethod
    def stat(self, url: Url) -> RemoteFile:
        """Return what the other side tells of a file or directory. Raises RemoteFileMissing, TransferError."""

    @abstractmethod
    def read(self, url: Url, start: int = 0, stop: int | None = None, validator: str | None = None) -> Incoming:
        """Open the bytes from `start` up to, not including, `stop`.

        With a validator an object that is no longer the same raises RemoteFileChanged, or is answered from its start
        with its new validator. Raises RemoteFileMissing, TransferError, also while the chunks are read.
        """

    def read_small(self, urls: Sequence[Url], streams: int) -> Generator[SmallFile | None]:
        """Yield files of at most SMALL_BYTES, each whole and of one version, `streams` at a time, in any order.

        All are of one server. None says that nothing came for a moment. What is larger, of unknown size, missing or
        changed meanwhile is left out; any other failure ends it, untold, and many that are left out may: whoever
        wants what did not come asks for each file alone, and is told why. Raises TransferError where
        `abilities.side_by_side` is 0, and may where nobody is let in.
        """
        raise self.cannot(f"read files {streams} at a time", urls[0])

    def stat_many(self, urls: Sequence[Url], streams: int) -> Generator[RemoteFile | None]:
        """Yield what `stat` tells of files, `streams` at a time, in any order, as far as it tells versions apart.

        As in `read_small`: all are of one server, None says that nothing came for a moment, what is missing is left
        out, any other failure ends it, untold. Asks `stat` in threads unless a transfer has a better way. Raises
        TransferError where `abilities.side_by_side` is 0, and may where nobody is let in.
        """
        if not self.abilities.side_by_side:
            raise self.cannot(f"tell of files {streams} at a time", urls[0])
        answers = queue.SimpleQueue[RemoteFile | BaseException]()
        waiting, ended = iter(list(urls)), threading.Event()

        def work() -> None:
            while not ended.is_set() and (url := next(waiting, None)) is not None:
                try:
                    answers.put(self.stat(url))
                except BaseException as error:  # noqa: BLE001 - looked at where the answers are
                    answers.put(error)

        try:
            for _ in range(min(streams, len(urls))):
                # One that hangs must not keep the process from ending, as a pool's does.
                threading.Thread(target=work, name="cc-stat", daemon=True).start()
            left = len(urls)
            while left:
                try:
                    answer = answers.get(timeout=BEAT_S)
                except queue.Empty:
                    yield None
                    continue
                left -= 1
                if isinstance(answer, RemoteFile):
                    yield answer
                elif not isinstance(answer, RemoteFileMissing):
                    return
        finally:
            ended.set()

    def put(self, outgoing: Outgoing, url: Url) -> None:
        """Write a file to `url`, whole or not at all, over what is there; parents are made. Raises TransferError."""
        raise self.cannot(f"put {outgoing.path.name}", url)

    def remove(self, url: Url) -> None:
        """Remove what `url` names. Raises RemoteFileMissing, TransferError."""
        raise self.cannot("remove", url)

    def listing(self, url: Url) -> Iterator[RemoteFile]:
        """Yield every file below a directory or prefix, at any depth. Raises RemoteFileMissing, TransferError.

        Directories with nothing in them, also the one that is listed, are told too where `abilities.folders`.
        """
        raise self.cannot("list", url)

    def make_folder(self, url: Url) -> None:
        """Make a directory that may stay empty, and those above it; one that is there is fine. Raises TransferError."""
        raise self.cannot("make a directory", url)

    def close(self) -> None:  # noqa: B027 - only those that hold connections have something to do
        """Let go of connections; the transfer may be used again afterwards."""

    @classmethod  # noqa: B027 - most URLs only the other side can judge
    def refuse(cls, url: Url, *, put: bool = False) -> None:
        """Raise TaskError for a URL that can never name a file or directory; with `put` one to be written, a file.

        Nobody is asked: `check` calls this for what a workflow names, before anything starts.
        """

    @staticmethod
    def cannot(verb: str, url: Url) -> TransferError:
        """Return the error of something that this protocol cannot do."""
        told = f"{url.scheme}:// cannot {verb}"
        return TransferError(told, subject=str(url), remedy="the page of remote places tells which can")
