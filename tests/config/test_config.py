"""The config tree: which source wins, what a value becomes, what a change or a mistake does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryocloud_core.config import Config
from cryocloud_core.errors import ConfigError
from cryocloud_core.secrets import Secret, masked, reveal

ROOTED = "[Ocean.Wind]\nFile = '{}'\n"


class Site:
    """A project directory with a workflow deep inside, and a user's file."""

    def __init__(self, root: Path) -> None:
        self.workflows = root / "project" / "flows" / "daily"
        self.workflows.mkdir(parents=True)
        self.project = root / "project" / "cryocloud.toml"
        self.user = root / "user.toml"

    def load(self, profile: str | None = None, **environ: str) -> Config:
        """Read the configuration as a run in the workflow's directory does."""
        return Config.load(self.workflows, profile, environ, self.user)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Give a project directory and a user's file, both without settings."""
    return Site(tmp_path)


def test_nothing_is_set_without_files(site: Site) -> None:
    """A name that nobody set is None, and nowhere."""
    config = site.load()

    assert (config.get("Ocean.Wind.File"), config.where("Ocean"), config.subtree("Ocean")) == (None, None, {})


def test_the_first_source_that_has_a_name_wins(site: Site) -> None:
    """Environment before profile before project before user; each value keeps its source."""
    profile = site.workflows / "cryocloud.night.toml"
    site.user.write_text("A.v = 'user'\nB.v = 'user'\nC.v = 'user'\nD.v = 'user'\n")
    site.project.write_text("A.v = 'project'\nB.v = 'project'\nC.v = 'project'\n")
    profile.write_text("A.v = 'profile'\nB.v = 'profile'\n")

    config = site.load("night", CRYOCLOUD_CFG__A__v="environment")

    assert [config.get(f"{name}.v") for name in "ABCD"] == ["environment", "profile", "project", "user"]
    assert [config.where(f"{name}.v") for name in "ABCD"] == [
        "environment variable CRYOCLOUD_CFG__A__v",
        str(profile),
        str(site.project),
        str(site.user),
    ]


def test_the_nearest_project_file_upwards_counts(site: Site) -> None:
    """Only the nearest `cryocloud.toml` is read."""
    site.project.write_text("far = 1\nboth = 'far'\n")
    near = site.workflows.parent / "cryocloud.toml"
    near.write_text("both = 'near'\n")

    config = site.load()

    assert (config.get("both"), config.get("far")) == ("near", None)


def test_tables_of_several_sources_are_one_tree(site: Site) -> None:
    """A table is merged name by name, and read whole as a map."""
    site.user.write_text("[CryoCloud.Worker]\ntempdir = '/tmp'\nretries = 2\n")
    site.project.write_text("CryoCloud.Worker.tempdir = '/data/tmp'\n")

    config = site.load()

    assert config.subtree("CryoCloud.Worker") == {"tempdir": "/data/tmp", "retries": 2}
    assert config.get("CryoCloud") == {"Worker": {"tempdir": "/data/tmp", "retries": 2}}
    assert config.where("CryoCloud") == f"{site.project}, {site.user}"


def test_a_value_hides_a_whole_table_and_the_reverse(site: Site) -> None:
    """What wins is never mixed with what it replaces."""
    site.user.write_text("[A]\nb = 1\n[C]\nd = 1\n")
    site.project.write_text("A = 'value'\nC.d.e = 2\n")

    config = site.load()

    assert (config.get("A"), config.get("A.b"), config.get("C")) == ("value", None, {"d": {"e": 2}})


@pytest.mark.parametrize("falsy", ["0", "false", "''", "[]"])
def test_falsy_values_are_values(site: Site, falsy: str) -> None:
    """Only what is not set is missing."""
    site.user.write_text("v = 'user'\n")
    site.project.write_text(f"v = {falsy}\n")

    assert site.load().get("v") in (0, False, "", [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain text", "plain text"),
        ("true", True),
        ("12", 12),
        ("0012", "0012"),
        ("1.5", 1.5),
        ('"12"', "12"),
        ("[1, 2]", [1, 2]),
        ('{"a": {"b": 1}}', {"a": {"b": 1}}),
        ("NaN", "NaN"),
        ("null", None),
        ("", ""),
        ("/a b#c", "/a b#c"),
    ],
)
def test_the_environment_gives_text_or_json(site: Site, text: str, value: object) -> None:
    """A variable's text is read as JSON where it is JSON."""
    assert site.load(CRYOCLOUD_CFG__Ocean__Wind__File=text).get("Ocean.Wind.File") == value


def test_dates_are_told_as_text(site: Site) -> None:
    """TOML's dates become ISO text, because a value must be JSON data."""
    site.project.write_text(
        "day = 2026-11-25\nat = 2026-11-25T12:00:00Z\nlist = [07:30:00]\ntable = [{d = 2026-11-25}]\n"
    )

    config = site.load()

    assert [config.get(name) for name in ("day", "at", "list", "table")] == [
        "2026-11-25",
        "2026-11-25T12:00:00+00:00",
        ["07:30:00"],
        [{"d": "2026-11-25"}],
    ]


def test_dotted_keys_are_names(site: Site) -> None:
    """A key in quotes is read by its dotted name, as host names need it."""
    site.project.write_text("[S3.'store.example.org:9000']\nsecure = false\n")

    assert site.load().get("S3.store.example.org:9000.secure") is False


def test_a_dotted_key_that_begins_like_a_setting_is_beside_it(site: Site) -> None:
    """Whichever file says it, and in which order; the same name in another spelling is still the same name."""
    site.project.write_text("[HTTP.'proxy.example.org']\ntoken = 't'\n[HTTP]\n'proxy.x' = 1\n")
    site.user.write_text("[HTTP]\nproxy = 'http://p'\n[HTTP.'proxy.example.org']\ntoken = 'other'\nuser = 'u'\n")

    config = site.load()
    whole = {"proxy": "http://p", "proxy.example.org": {"token": "t", "user": "u"}, "proxy.x": 1}
    assert config.subtree("HTTP") == whole
    names = ("HTTP.proxy", "HTTP.proxy.example.org.token", "HTTP.proxy.example.org", "HTTP.proxy.x", "HTTP.proxy.y")
    assert [config.get(name) for name in names] == ["http://p", "t", {"token": "t", "user": "u"}, 1, None]
    assert config.where("HTTP.proxy.example.org.token") == str(site.project)
    assert {each.name for each in config.settings()} == {*names[:2], "HTTP.proxy.example.org.user", "HTTP.proxy.x"}


@pytest.mark.parametrize(
    ("text", "place"),
    [("a = 1\nb = \n", ":2:5"), ("a = 1\na = 2\n", ":2:6"), ("[a\n", ":1:3"), ("v = nan\n", "")],
)
def test_a_wrong_file_is_told_with_its_line(site: Site, text: str, place: str) -> None:
    """The error names file, line and column."""
    site.project.write_text(text)

    with pytest.raises(ConfigError) as told:
        site.load()
    assert told.value.place == f"{site.project}{place}"
    assert told.value.exit_code == 2


def test_what_is_no_text_is_told(site: Site) -> None:
    """A file in another encoding is refused by name."""
    site.user.write_bytes(b"a = '\xe6'\n")

    with pytest.raises(ConfigError, match="cannot be read") as told:
        site.load()
    assert told.value.place == str(site.user)


def test_a_missing_profile_is_told(site: Site) -> None:
    """A profile that was asked for must exist."""
    with pytest.raises(ConfigError, match=r"there is no cryocloud\.night\.toml in .*daily or above"):
        site.load("night")
    with pytest.raises(ConfigError, match="there is no"):
        site.load("../night")


def test_a_variable_without_a_name_is_told(site: Site) -> None:
    """Two underscores too many are a mistake, not a setting."""
    with pytest.raises(ConfigError, match="names no setting"):
        site.load(CRYOCLOUD_CFG__A____B="1")


def test_a_changed_file_is_seen(site: Site) -> None:
    """`refresh` reads what was written since and tells whether a value changed."""
    site.project.write_text("v = 1\n")
    config = site.load()
    assert config.refresh() is False

    site.project.write_text("v = 2\n")
    assert (config.refresh(), config.get("v"), config.refresh()) == (True, 2, False)

    site.project.write_text("v = 2 # said why\n")
    assert config.refresh() is False


def test_files_that_come_and_go_are_seen(site: Site) -> None:
    """A nearer file takes over; without it the farther one counts again."""
    site.project.write_text("v = 'far'\n")
    config = site.load()
    near = site.workflows / "cryocloud.toml"

    near.write_text("v = 'near'\n")
    assert (config.changed(), config.refresh(), config.get("v")) == (True, True, "near")
    near.unlink()
    assert (config.refresh(), config.get("v")) == (True, "far")


def test_a_change_that_leaves_the_stat_alone_is_seen(site: Site) -> None:
    """Two writes of one length within a tick of the clock are told apart by content while the file is young."""
    site.project.write_text("v = 1\n")
    config = site.load()
    seen = site.project.stat()

    site.project.write_text("v = 2\n")
    os.utime(site.project, ns=(seen.st_atime_ns, seen.st_mtime_ns))

    assert (config.refresh(), config.get("v")) == (True, 2)


def test_an_old_file_is_not_read_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at unchanged files costs a stat each."""
    site.project.write_text("v = 1\n")
    os.utime(site.project, (1_000_000, 1_000_000))
    config = site.load()

    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read"))
    assert not config.changed()
    assert config.refresh() is False


def test_a_mistake_while_running_keeps_the_last_good_tree(site: Site) -> None:
    """A bad file is told at each refresh until it is repaired; values stay."""
    site.project.write_text("v = 1\n")
    config = site.load()

    site.project.write_text("v = \n")
    for _ in range(2):
        with pytest.raises(ConfigError, match="not valid TOML"):
            config.refresh()
        assert config.get("v") == 1
    site.project.write_text("v = 3\n")
    assert (config.refresh(), config.get("v")) == (True, 3)


def test_a_secret_is_a_handle_and_never_printed(site: Site) -> None:
    """The value is read only by `reveal`; everything printed shows dots."""
    (site.project.parent / "key").write_text("from file\n")
    site.project.write_text("[S3]\npassword = {env = 'S3_PASSWORD'}\nkey = {file = 'key'}\nuser = 'me'\n")
    config = site.load()
    tree = config.subtree("S3")

    assert reveal(tree, {"S3_PASSWORD": "deep"}) == {"password": "deep", "key": "from file", "user": "me"}
    assert str(tree) == "{'password': •••, 'key': •••, 'user': 'me'}"
    assert f"{config.get('S3.password')} {[s.value for s in config.settings()]}" == "••• [•••, •••, 'me']"
    assert masked(tree) == {"password": "•••", "key": "•••", "user": "me"}


def test_a_handle_survives_storage(site: Site) -> None:
    """Stored as JSON and read back, a handle still leads to its secret."""
    stored = json.loads(json.dumps({"a": [site.load(CRYOCLOUD_CFG__p='{"env": "X"}').get("p")]}))

    assert "deep" not in str(stored)
    assert reveal(stored, {"X": "deep"}) == {"a": ["deep"]}


def test_a_table_with_a_key_named_file_is_no_secret(site: Site) -> None:
    """Only an inline table is a handle; `[Ocean]` with one setting `file` is a table."""
    site.project.write_text("[Ocean]\nfile = 'wind.cfg'\n[a.b]\nenv = 'test'\nc = {env = 'test', d = 1}\n")

    config = site.load()

    assert (config.get("Ocean.file"), config.get("a.b.env"), config.get("a.b.c.env")) == ("wind.cfg", "test", "test")


@pytest.mark.parametrize("handle", [{"env": "NOT_SET_ANYWHERE"}, {"file": "/nowhere/key"}])
def test_a_secret_that_cannot_be_read_is_told(handle: dict[str, str]) -> None:
    """The error names the variable or the file."""
    secret = Secret.read(handle, Path("/"))

    assert secret is not None
    with pytest.raises(ConfigError, match=r"NOT_SET_ANYWHERE: is not set|/nowhere/key"):
        secret.reveal({})


def test_the_users_file_is_where_the_platform_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without being told, the user's own configuration directory counts."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "cryocloud").mkdir()
    (tmp_path / "cryocloud" / "config.toml").write_text("v = 1\n")

    assert Config.load(tmp_path, environ={}).get("v") == 1


names = st.text("abcXYZ", min_size=1, max_size=3)
values = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers() | st.text())


@given(st.dictionaries(st.lists(names, min_size=1, max_size=4).map("__".join), values, max_size=8))
def test_every_setting_of_the_environment_is_found(settings: dict[str, Any]) -> None:
    """What is set by name is got by name, unless a longer name makes a table of it."""
    environ = {f"CRYOCLOUD_CFG__{name}": json.dumps(value) for name, value in settings.items()}
    config = Config.load("/", None, environ, Path("/nowhere"))

    for name, value in settings.items():
        if not any(other.startswith(f"{name}__") for other in settings):
            assert config.get(name.replace("__", ".")) == value
