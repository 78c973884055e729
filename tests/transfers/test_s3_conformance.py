"""The transfers' conformance kit over S3: a real server, by the plain data plane and by the fast one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, ClassVar

import botocore.session
import pytest
from attrs import frozen

from cryocloud_core.sdk.transfer import TransferConfig
from cryocloud_core.testing.transfers import Place, TransferConformance
from cryocloud_core.transfers.s3 import S3Transfer
from tests.services.s3server import KEY, SECRET, S3Server


@frozen
class BucketPlace(Place):
    """A prefix of a bucket, seen through Amazon's own library."""

    server: S3Server
    calls: Any
    prefix: str

    def url(self, name: str) -> str:
        """Return the URL of a name."""
        return self.server.url(f"places/{self.prefix}/{name}".rstrip("/"))

    def seed(self, name: str, content: bytes) -> None:
        """Write an object."""
        self.calls.put_object(Bucket="places", Key=f"{self.prefix}/{name}", Body=content)

    def content(self, name: str) -> bytes | None:
        """Return an object's bytes."""
        try:
            body = self.calls.get_object(Bucket="places", Key=f"{self.prefix}/{name}")["Body"]
        except self.calls.exceptions.NoSuchKey:
            return None
        return bytes(body.read())

    def names(self) -> set[str]:
        """Return the keys below the prefix."""
        found = self.calls.list_objects_v2(Bucket="places", Prefix=f"{self.prefix}/").get("Contents", [])
        return {each["Key"].removeprefix(f"{self.prefix}/") for each in found}


@pytest.fixture(scope="module")
def calls(s3_server: S3Server) -> Iterator[Any]:
    """Give Amazon's own library, and a bucket."""
    made = botocore.session.get_session().create_client(
        "s3",
        endpoint_url=f"http://{s3_server.address}",
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )
    made.create_bucket(Bucket="places")
    yield made
    made.close()


class S3Conformance(TransferConformance):
    """`s3://` to SeaweedFS; a directory is a URL that ends in `/`."""

    holds_any_bytes = False
    has_directories = False
    is_fast: ClassVar[bool]

    @pytest.fixture
    def place(self, s3_server: S3Server, calls: Any) -> BucketPlace:
        """Give a prefix of its own."""
        return BucketPlace(s3_server, calls, secrets.token_hex(8))

    @pytest.fixture(scope="class")
    @classmethod
    def transfer(cls, s3_server: S3Server) -> Iterator[S3Transfer]:
        """Give the transfer."""
        made = S3Transfer(TransferConfig(s3_server.config(fast=cls.is_fast)))
        yield made
        made.close()


class TestPlainS3(S3Conformance):
    """The plain data plane."""

    is_fast = False


class TestFastS3(S3Conformance):
    """The fast data plane."""

    is_fast = True


del S3Conformance
