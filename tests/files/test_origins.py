"""Where files are taken from: local first, and never from the local disk what the web names."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import psutil
import pytest

from cryocloud_core.errors import ResolutionError
from cryocloud_core.files.origins import Hosts, Origins, ThisMachine
from cryocloud_core.sdk.url import Url

HOSTS = Hosts(
    {
        "far": "10.0.0.3",
        "odd": {"ssh": "me@10.0.0.4:2222", "http": "10.0.0.4:8080"},
        "wide": {"example": {"org": "10.0.0.5"}},
        "v6": "[fe80::1]:22",
    }
)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Give a file that is here."""
    (tmp_path / "a b#?%.nc").touch()
    return str(tmp_path / "a b#?%.nc")


def found(value: Any, origin: str = "", proto: str = "ssh", **how: Any) -> str:
    """Return where a machine called `near` takes a file from, as text."""
    return str(Origins(ThisMachine("near"), HOSTS, **how).find(value, origin, proto))


def test_what_exists_here_is_used_in_place(file: str) -> None:
    """Whoever made it: a shared disk looks so."""
    assert found(file) == file
    assert found(file, "near") == file
    assert found(file, "far") == file
    assert found(f"ssh://far{file}") == file
    assert found(f"file://{file}") == file


@pytest.mark.parametrize("unzip", [False, True])
def test_what_cannot_be_looked_at_here_is_fetched(unzip: bool) -> None:
    """Its directory is closed to us, or its path is longer than this system takes."""
    path = f"/data/{'y/' * 2500}a.nc"
    assert str(Origins(ThisMachine("near"), HOSTS).find(path, "far", unzip=unzip)) == f"ssh://10.0.0.3{path}"


def test_without_trust_a_file_of_another_machine_is_fetched_though_one_is_here(file: str) -> None:
    """Equal paths may have different contents; one's own files are one's own."""
    assert found(file, "far", trust_local=False) == f"ssh://10.0.0.3{file}"
    assert found(f"ssh://far{file}", trust_local=False) == f"ssh://far{file}"
    assert found(file, "near", trust_local=False) == file
    assert found(file, trust_local=False) == file


def test_a_copy_that_was_fetched_is_no_original(file: str) -> None:
    """It is compared with the original each time."""
    assert found(file, "far", is_copy=lambda _: True) == f"ssh://10.0.0.3{file}"
    assert found(file, "near", is_copy=lambda _: True) == file


@pytest.mark.parametrize(
    ("origin", "proto", "expected"),
    [
        ("far", "ssh", "ssh://10.0.0.3/no/a b#?%.nc"),
        ("far", "http", "http://10.0.0.3/no/a%20b%23%3F%25.nc"),
        ("odd", "ssh", "ssh://me@10.0.0.4:2222/no/a b#?%.nc"),
        ("odd", "http", "http://10.0.0.4:8080/no/a%20b%23%3F%25.nc"),
        ("unknown", "ssh", "ssh://unknown/no/a b#?%.nc"),
        ("unknown", "http", "http://unknown/no/a%20b%23%3F%25.nc"),
        ("wide.example.org", "ssh", "ssh://10.0.0.5/no/a b#?%.nc"),
        ("v6", "ssh", "ssh://[fe80::1]:22/no/a b#?%.nc"),
        ("near", "ssh", "/no/a b#?%.nc"),
        ("", "http", "/no/a b#?%.nc"),
    ],
)
def test_a_path_of_another_machine_is_fetched_from_its_address(origin: str, proto: str, expected: str) -> None:
    """The one in the configuration, else its name; the web's paths are quoted."""
    assert found("/no/a b#?%.nc", origin, proto) == expected


def test_bytes_that_are_no_utf_8_reach_both_protocols() -> None:
    """As they are, or quoted byte for byte."""
    path = b"/no/raw\xff\xfe".decode("utf-8", "surrogateescape")

    assert found(path, "far") == f"ssh://10.0.0.3{path}"
    assert found(path, "far", "http") == "http://10.0.0.3/no/raw%FF%FE"


@pytest.mark.parametrize("host", ["localhost", "near", "NEAR", socket.gethostname(), "127.0.0.1", "[::1]"])
def test_this_machine_is_known_by_its_names_and_addresses(host: str) -> None:
    """Nothing is fetched from ourselves: a path that is not here is an error of its own."""
    assert found(f"ssh://{host}/no/such") == "/no/such"
    assert found(f"ssh://me@{host}:22/no/such") == "/no/such"


def test_every_address_of_this_machine_is_its_own() -> None:
    """Also those of the network."""
    addresses = {a.address for each in psutil.net_if_addrs().values() for a in each if a.family is socket.AF_INET}

    assert {found(f"ssh://{address}/no/such") for address in addresses} == {"/no/such"}


def test_a_port_names_a_server_not_this_machines_disk(file: str) -> None:
    """A tunnel, a container; what is here all the same is used."""
    assert found("ssh://localhost:2222/no/such") == "ssh://localhost:2222/no/such"
    assert found(f"ssh://localhost:2222{file}") == file
    assert found(f"ssh://localhost:2222{file}", trust_local=False) == f"ssh://localhost:2222{file}"


def test_the_web_is_never_mapped_onto_the_local_tree() -> None:
    """Unless it is the web server of a machine of ours."""
    assert found("http://x/etc/passwd") == "http://x/etc/passwd"
    assert found("https://localhost/etc/passwd") == "https://localhost/etc/passwd"
    assert found("http://near/etc/passwd") == "http://near/etc/passwd"
    assert found("http://10.0.0.3/etc/passwd") == "/etc/passwd"
    assert found("http://far/etc/%70asswd?x") == "/etc/passwd"
    assert found("http://odd:8080/etc/passwd") == "/etc/passwd"
    assert found("http://far/no/such") == "http://far/no/such"
    assert found("http://far/etc/passwd", trust_local=False) == "http://far/etc/passwd"


@pytest.mark.parametrize(
    ("server", "is_ours"),
    [
        ("http://far", True),
        ("http://FAR:80", True),
        ("https://10.0.0.3:443", True),
        ("http://10.0.0.3:8080", False),
        ("http://far:443", False),
        ("http://10.0.0.4:8080", True),
        ("https://odd:8080", True),
        ("http://odd", False),
        ("http://odd:2222", False),
        ("http://[fe80::1]", True),
        ("http://[fe80::1]:22", True),
        ("http://wide.example.org", True),
        ("http://10.0.0.5", True),
        ("http://wide", False),
        ("http://example", False),
    ],
)
def test_another_port_of_a_machine_is_another_server(server: str, is_ours: bool) -> None:
    """Only the one that hands out the machine's files has the machine's paths."""
    assert found(f"{server}/etc/passwd") == ("/etc/passwd" if is_ours else f"{server}/etc/passwd")


def test_an_archive_counts_as_here_when_it_was_unpacked_here(tmp_path: Path) -> None:
    """For those who want what it held."""
    origins = Origins(ThisMachine("near"), HOSTS, unpacked_here=lambda _: tmp_path)

    assert origins.find("/no/a.zip", "far", unzip=True) == Path("/no/a.zip")
    assert origins.find("/no/a.zip", "far") == Url.parse("ssh://10.0.0.3/no/a.zip")


@pytest.mark.parametrize(
    "value", ["rel/a", "", 7, None, True, {"a": 1}, ["/a"], "ssh://h", "file://h/x", "\ud800", "/\0"]
)
def test_what_can_be_no_place_is_told(value: Any) -> None:
    """No repeat can help it."""
    with pytest.raises(ResolutionError):
        found(value)


@pytest.mark.parametrize("entry", ["", "a/b", 7, {"http": 5}, "h:port"])
def test_a_machine_whose_address_is_none_is_told(entry: Any) -> None:
    """With the name of the setting, or what was made of it."""
    origins = Origins(ThisMachine("near"), Hosts({"far": entry}))

    with pytest.raises(ResolutionError, match=r"CryoCloud\.Hosts\.far|port"):
        origins.find("/no/such", "far", "http")
