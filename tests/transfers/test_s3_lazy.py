"""S3 is loaded by the first S3 URL, not before; without its libraries the error says what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.services.s3server import S3Server

HEAVY = {"aiobotocore", "boto3", "botocore", "obstore", "s3fs", "cryocloud_core.transfers.s3"}
BEGIN = f"""
import sys
from cryocloud_core.files.transfers import Transfers
from cryocloud_core.sdk.registry import Registry
from cryocloud_core.sdk.routes import Routes
from cryocloud_core.sdk.url import Url
transfers = Transfers(Routes.of(Registry.installed(), lambda root: {{}}))
loaded = lambda: sorted(set(sys.modules) & {HEAVY!r})
"""


def said(script: str) -> str:
    """Return what a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", BEGIN + script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.strip()


def test_other_transfers_load_nothing_of_s3() -> None:
    """A worker that fetches over http, ssh and from other disks knows nothing of S3 until a URL of it comes."""
    places = "file:///tmp", "http://host/a", "ssh://host/a"
    script = f"[transfers.to(Url.parse(text)) for text in {places!r}]\nprint(loaded())\n"
    then = "transfers.to(Url.parse('s3://host/bucket/key'))\nprint(loaded())\n"

    before, after = said(script + then).splitlines()
    assert before == "[]"
    assert after == "['botocore', 'cryocloud_core.transfers.s3']"


@pytest.mark.parametrize(("fast", "loaded"), [(True, {"obstore"}), (False, {"aiobotocore", "s3fs"})])
def test_only_the_data_plane_that_is_needed_is_loaded(s3_server: S3Server, fast: bool, loaded: set[str]) -> None:
    """Where obstore does all there is to do, nobody waits for the libraries of the plain plane."""
    script = f"""
transfers.routes.config["S3"] = {s3_server.config(fast=fast)!r}
try:
    transfers.to(Url.parse("s3://host/bucket/key")).stat(Url.parse({s3_server.url("nobucket/key")!r}))
except Exception as error:
    print(type(error).__name__, *loaded())
"""
    error, *found = said(script).split()

    assert error == "RemoteFileMissing"
    assert set(found) - {"botocore", "cryocloud_core.transfers.s3"} == loaded


def test_without_s3fs_it_is_told_what_to_install() -> None:
    """The core runs with it missing; who needs it hears how to get it."""
    script = """
sys.modules["s3fs"] = None
try:
    transfers.to(Url.parse("s3://host/bucket/key"))
except Exception as error:
    print(type(error).__name__, error)
"""
    told = said(script)

    assert told.startswith("StagingError s3://host/bucket/key: s3:// needs s3fs")
    assert told.endswith("pip install s3fs")
