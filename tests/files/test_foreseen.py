"""What is said of a path or URL before a run is what its task would fail with, and what works is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryocloud_core.errors import CryoCloudError
from cryocloud_core.files.foreseen import Foreseen
from cryocloud_core.files.layer_settings import LayerSettings
from cryocloud_core.files.remote import Remote
from cryocloud_core.files.service import FileService
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.files.unpacked import Unpacking
from cryocloud_core.sdk.hookspecs import hookimpl
from cryocloud_core.sdk.offers import TransferOffer
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.task import Preparation, StagingKind

FILE, DIR, TEMPDIR = (Preparation(kind) for kind in (StagingKind.FILE, StagingKind.DIR, StagingKind.TEMPDIR))


REGISTRY = Registry.installed()


def nothing(_root: str) -> dict[str, Any]:
    """Return a configuration in which nothing is set."""
    return {}


@pytest.fixture
def foreseen() -> Foreseen:
    """Give the judgement of what is installed."""
    return Foreseen(Registry.installed(), nothing)


@pytest.fixture
def service(tmp_path: Path) -> FileService:
    """Give the files of a task on this machine, with the transfers that are installed and no second attempts."""
    how = Unpacking(tmp_path / "tmp")
    transfers = Transfers(Routes.of(Registry.installed(), nothing))
    return FileService(how, Remote(how, transfers, LayerSettings(how.tempdir, retries=0)))


WRONG = [
    "small/rel.dat",
    "",
    7,
    {"a": 1},
    "htp://x/y",
    "http:/127.0.0.1/x",
    "http://u:p@h/x",
    "ssh://host:99999/x",
    "ssh://h",
    "s3://host",
    "s3://host/",
    "s3://me@host/b/k",
    "http://h/dir/",
    "https://h",
    "file://h/x",
    "nul\0byte",
]


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_a_wrong_file_is_told_in_the_words_of_its_task(foreseen: Foreseen, service: FileService, value: Any) -> None:
    """Word for word: whoever looks one up finds the other."""
    told = foreseen.argument(value, FILE)
    with pytest.raises(CryoCloudError) as failed:
        service.fetch(value)

    assert told is not None
    assert told.is_sure
    assert told.why == str(failed.value)


@pytest.mark.parametrize(
    "value",
    [
        *("/", "/a b", "file:///a", "file://localhost/a", "ssh://me@h:22/a", "ssh://[::1]:22/a/"),
        *("s3://h:9000/b", "s3://h/b/k/", "http://h/a?b=/", "http://h/?x", "https://h/a", "HTTP://h/a"),
    ],
)
def test_what_may_work_is_left_alone(foreseen: Foreseen, value: str) -> None:
    """Whether it is there only the run can tell."""
    assert foreseen.argument(value, FILE) is None


def test_what_may_not_be_fetched_and_never_lies_here_is_told(foreseen: Foreseen) -> None:
    """A file of ssh may lie here too; so may that of a web server that the configuration names."""
    way = Preparation(StagingKind.FILE, copy=False)
    known = Foreseen(Registry.installed(), lambda root: {"seer": "10.0.0.3"} if root == "CryoCloud.Hosts" else {})

    assert foreseen.argument("ssh://h/a", way) is None
    assert foreseen.argument("/a", way) is None
    told = foreseen.argument("http://seer/a", way)
    assert told is not None
    assert "may not be fetched from http://seer" in told.why
    assert known.argument("http://seer/a", way) is None
    assert known.argument("http://seer/dir/", FILE) is None


@pytest.mark.parametrize("way", [DIR, TEMPDIR], ids=["dir", "tempdir"])
@pytest.mark.parametrize("value", ["rel/x", 7, "ssh://h/x", "s3://h/b/"])
def test_a_directory_lies_on_this_machine(foreseen: Foreseen, way: Preparation, value: Any) -> None:
    """Neither relative nor elsewhere."""
    assert foreseen.argument(value, way) is not None
    assert foreseen.argument("/x", way) is None


def test_a_tempdir_without_a_base_has_the_usual_one(foreseen: Foreseen) -> None:
    """A directory without a path is none."""
    assert foreseen.argument("", TEMPDIR) is None
    assert foreseen.argument("", DIR) is not None


NEVER: list[tuple[str, bool, str]] = [
    ("http://h/out/", False, "http:// cannot put"),
    ("https://h", False, "https:// cannot put"),
    ("rel/out/", False, "need absolute path"),
    ("s3:/h/b/", False, "a URL has two slashes: write s3://"),
    ("htp://h/x/", False, 'unsupported scheme htp:// (did you mean "http"?)'),
    ("htp://h", False, "unsupported scheme htp://"),
    ("ssh://u:p@h/x/", False, "holds a password"),
    ("s3://h", True, "s3://h: names no bucket; write s3://h/bucket/key"),
    ("s3://me@h/b/", True, "s3://me@h/b/: names a user"),
    ("ssh://h", True, "ssh://h: names no path"),
    ("ssh://h:x/", True, "has no valid port"),
    ("file://h/x/", True, "is a file on this machine"),
]


@pytest.mark.parametrize(("target", "basename", "why"), NEVER)
def test_a_target_that_nothing_can_be_sent_to_is_told(
    foreseen: Foreseen, target: str, basename: bool, why: str
) -> None:
    """With what to do, and without the names that stood in for those of files."""
    told = foreseen.target(target, basename=basename)

    assert told is not None
    assert told.is_sure
    assert why in told.why
    assert ";" in told.why
    assert "name/name" not in told.why


@pytest.mark.parametrize(
    ("target", "basename", "why"),
    [
        ("s3://h", False, "names no bucket"),
        ("ssh://h", False, "names no path"),
        ("ssh://h:", False, "has no valid port"),
        ("s3://h/", True, "only directories can be sent there: s3://h/: names no object"),
        ("s3://h/b", True, "only directories can be sent there"),
    ],
)
def test_a_target_that_works_for_some_only_may_not_work(
    foreseen: Foreseen, target: str, basename: bool, why: str
) -> None:
    """What is appended decides: it is a doubt, not an error."""
    told = foreseen.target(target, basename=basename)

    assert told is not None
    assert not told.is_sure
    assert why in told.why


@pytest.mark.parametrize("basename", [True, False])
@pytest.mark.parametrize(
    "target", ["/out/", "/out/p", "file:///out/", "s3://h/b/", "s3://h:9000/b/k-", "ssh://me@h/out/", "ssh://h/"]
)
def test_a_target_that_works_is_left_alone(foreseen: Foreseen, target: str, basename: bool) -> None:
    """Prefixes of names too."""
    assert foreseen.target(target, basename=basename) is None


def test_a_target_that_is_no_text_is_told(foreseen: Foreseen) -> None:
    """As an option of type json may have it."""
    told = foreseen.target(["/out/"], basename=True)

    assert told is not None
    assert "must be a path, got list" in told.why


class Offers:
    """A plugin with the transfers of these references by scheme."""

    def __init__(self, **references: str) -> None:
        self.offers = [TransferOffer(scheme, (scheme,), reference) for scheme, reference in references.items()]

    @hookimpl
    def register_transfers(self) -> list[TransferOffer]:
        """Return them."""
        return self.offers


def test_what_is_missing_on_this_machine_alone_is_no_fault_of_the_text() -> None:
    """A worker may have the library, and a plugin that cannot be used is told by itself."""
    foreseen = Foreseen(Registry.of(Offers(far="no_such_package.far:Far")), nothing)

    assert foreseen.argument("far://h/a", FILE) is None
    assert foreseen.target("far://h/a/", basename=True) is None


def test_a_transfer_of_a_plugin_is_asked() -> None:
    """Its abilities are its own, and what it does not refuse is left alone."""
    foreseen = Foreseen(Registry.of(Offers(fold="tests.files.folder_transfer:FolderTransfer")), nothing)

    assert foreseen.target("fold://h/a/", basename=True) is None
    told = foreseen.target("fold://h", basename=False)
    assert told is not None
    assert not told.is_sure
    assert told.why.endswith('the path of each file is appended to the host\'s name; end it with "/": h/')


Texts = st.one_of(
    st.text(max_size=20),
    st.tuples(st.sampled_from(["s3", "ssh", "http", "file", "x"]), st.text("ab:/@[]1 ?.\0é", max_size=12)).map(
        "://".join
    ),
)


@settings(max_examples=300)
@given(Texts, st.booleans())
def test_no_text_is_too_odd_to_be_judged(text: str, basename: bool) -> None:
    """Nothing is raised, and a verdict is never empty."""
    foreseen = Foreseen(REGISTRY, nothing)

    for told in (foreseen.argument(text, FILE), foreseen.target(text, basename=basename)):
        assert told is None or told.why
