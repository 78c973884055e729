"""git: clones, follows branches and tags, never throws away work; with real repositories."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from cryocloud_core.testing.worker import LocalWorker, task_of
from cryocloud_modules_builtin import git

IDENTITY = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")


def call(folder: Path, *words: str) -> str:
    """Run git in a folder and return what it said."""
    done = subprocess.run(["git", *IDENTITY, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(repository: Path, content: str) -> None:
    """Add a commit that puts a text into the file."""
    (repository / "file").write_text(content)
    call(repository, "add", "file")
    call(repository, "commit", "-m", content)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tester's own git settings out."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """Give a repository with a branch master and a branch dev."""
    made = tmp_path / "some repo.git"
    made.mkdir()
    call(made, "init", "-b", "master")
    commit(made, "one")
    call(made, "branch", "dev")
    return made


def test_it_clones_then_pulls(worker: LocalWorker, tmp_path: Path, origin: Path) -> None:
    """The working copy is named after the repository; `list` null means not given."""
    args = {"src": str(origin), "dst": f"{tmp_path}/code", "name": None, "branch": None, "list": None}
    copy = tmp_path / "code" / "some repo"

    assert worker.run(git, args) == {"branch": "master"}
    assert (copy / "file").read_text() == "one"
    commit(origin, "two")
    assert worker.run(git, args) == {"branch": "master"}
    assert (copy / "file").read_text() == "two"
    assert [path.name for path in (tmp_path / "code").iterdir()] == ["some repo"]


def test_it_changes_branch_and_follows_tags(worker: LocalWorker, tmp_path: Path, origin: Path) -> None:
    """Branch, tag and commit are all reached from each other, also one made after the clone."""
    args = {"src": str(origin), "dst": str(tmp_path / "code"), "name": "list (null)"}
    content = tmp_path / "code" / "list (null)" / "file"
    worker.run(git, args)
    call(origin, "checkout", "dev")
    commit(origin, "dev work")
    call(origin, "tag", "v1")
    commit(origin, "more dev work")
    first = call(origin, "rev-parse", "master")

    for branch, expected in [("dev", "more dev work"), ("v1", "dev work"), (first, "one"), ("dev", "more dev work")]:
        assert worker.run(git, {**args, "branch": branch}) == {"branch": branch}
        assert content.read_text() == expected


def test_a_list_of_repositories(worker: LocalWorker, tmp_path: Path, origin: Path) -> None:
    """Rows of name, URL and branch; the branch may be left out."""
    rows = [["a", str(origin), "dev"], ["b c", f"file://{origin}", None], [None, str(origin)]]

    assert worker.run(git, {"list": rows, "dst": str(tmp_path / "x")})["branch"] == ["dev", "master", "master"]
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["a", "b c", "some repo"]
    assert worker.status.history("progress")[-1] == 100


def test_local_work_is_never_thrown_away(worker: LocalWorker, tmp_path: Path, origin: Path) -> None:
    """A local commit that cannot be fast-forwarded fails the task and stays."""
    args = {"src": str(origin), "dst": str(tmp_path), "name": "copy"}
    worker.run(git, args)
    commit(tmp_path / "copy", "mine")
    commit(origin, "theirs")

    with pytest.raises(RuntimeError, match=r"merge --ff-only .*exit code"):
        worker.run(git, args)
    assert (tmp_path / "copy" / "file").read_text() == "mine"


@pytest.mark.parametrize(("branch", "src"), [("none-such", None), ("master", "/none/such.git")])
def test_what_git_says_is_in_the_error(
    worker: LocalWorker, tmp_path: Path, origin: Path, branch: str, src: str | None
) -> None:
    """An unknown branch, a repository that is not there; a failed clone leaves nothing."""
    with pytest.raises(RuntimeError, match=r"none.such"):
        worker.run(git, {"src": src or str(origin), "dst": str(tmp_path / "code"), "branch": branch})
    if src:
        assert list((tmp_path / "code").iterdir()) == []


def test_what_is_in_the_way_is_left_alone(worker: LocalWorker, tmp_path: Path, origin: Path) -> None:
    """A directory that is no working copy, or one of another repository, is an error."""
    (tmp_path / "plain").mkdir()
    args = {"src": str(origin), "dst": str(tmp_path)}
    worker.run(git, {**args, "name": "copy"})

    with pytest.raises(RuntimeError, match="is no working copy"):
        worker.run(git, {**args, "name": "plain"})
    with pytest.raises(RuntimeError, match="is a working copy of"):
        worker.run(git, {**args, "name": "copy", "src": f"file://{origin}"})


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"src": None}, "give src"),
        ({"dst": None}, "dst must be"),
        ({"name": "../up"}, "name must be"),
        ({"src": ".."}, "name must be"),
        ({"branch": "--upload-pack=x"}, "is no branch"),
        ({"list": [["only a name"]]}, "list must hold"),
        ({"list": "text"}, "list must hold"),
    ],
)
def test_wrong_arguments_are_refused(worker: LocalWorker, args: dict[str, object], said: str) -> None:
    """Before git is called."""
    with pytest.raises(ValueError, match=said):
        worker.run(git, {"src": "/x.git", "dst": "/tmp/none-such", **args})


def test_an_option_in_place_of_a_url_is_no_option(worker: LocalWorker, tmp_path: Path) -> None:
    """What begins with a dash is the name of a repository that does not exist."""
    with pytest.raises(RuntimeError, match=r"fatal: repository '--upload-pack=touch"):
        worker.run(git, {"src": f"--upload-pack=touch {tmp_path}/owned;", "dst": str(tmp_path), "name": "x"})
    assert not (tmp_path / "owned").exists()


def test_cancel_before_the_start_does_nothing(worker: LocalWorker, tmp_path: Path, origin: Path) -> None:
    """No clone is begun."""
    cancel = threading.Event()
    cancel.set()

    assert git.process_task(worker, task_of(git, {"src": str(origin), "dst": str(tmp_path / "c")}), cancel) == (0, {})
    assert list((tmp_path / "c").iterdir()) == []
