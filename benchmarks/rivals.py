"""The native tools that W4 stands beside, each as the command that a person would type for the same work.

Laws: a tool that is not installed is left out of the table; each gets what makes it quick, as its manual says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attrs import frozen

from benchmarks.programs import found
from tests.services.s3server import KEY, SECRET, S3Server
from tests.services.sshserver import SshServer

Words = Sequence[str | Path]

_S3FS = (
    "import sys, s3fs; fs = s3fs.S3FileSystem(endpoint_url=sys.argv[1]); fs.{}(sys.argv[2], sys.argv[3], recursive={})"
)
_BOTO = (
    "import sys, boto3, os\n"
    "from concurrent.futures import ThreadPoolExecutor\n"
    "verb, endpoint, bucket, key, place = sys.argv[1:]\n"
    "s3 = boto3.client('s3', endpoint_url=endpoint)\n"
    "if verb == 'put': s3.upload_file(place, bucket, key)\n"
    "elif verb == 'fetch': s3.download_file(bucket, key, place)\n"
    "else:\n"
    "    os.makedirs(place)\n"
    "    pages = s3.get_paginator('list_objects_v2').paginate(Bucket=bucket, Prefix=key)\n"
    "    keys = [each['Key'] for page in pages for each in page['Contents']]\n"
    "    with ThreadPoolExecutor(16) as pool:\n"
    "        list(pool.map(lambda k: s3.download_file(bucket, k, os.path.join(place, os.path.basename(k))), keys))\n"
)
ENVIRON = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}


@frozen
class Rival:
    """A tool: given where the work is to end, the words to run."""

    name: str
    words: Callable[[Path], Words]


def _if(program: str, rival: Callable[[str], Rival]) -> Iterator[Rival]:
    path = found(program)
    if path is not None:
        yield rival(path)


def s3_rivals(server: S3Server, verb: str, key: str) -> Iterator[Rival]:
    """Yield who does `fetch`, `tree` or `put` of a bucket's key with an object store."""
    endpoint, bucket, rest = f"http://{server.address}", *key.split("/", 1)
    source = f"s3://{key}*" if verb == "tree" else f"s3://{key}"

    def s5cmd(path: str) -> Rival:
        base: list[str | Path] = [path, "--endpoint-url", endpoint, "cp"]
        return Rival("s5cmd", lambda at: [*base, at, source] if verb == "put" else [*base, source, _slashed(at, verb)])

    yield from _if("s5cmd", s5cmd)

    def s3fs(path: str) -> Rival:
        script = _S3FS.format("put" if verb == "put" else "get", verb == "tree")
        return Rival("s3fs", lambda at: [path, "-c", script, endpoint, *((at, key) if verb == "put" else (key, at))])

    yield from _if("python", s3fs)
    yield from _if(
        "python", lambda path: Rival("boto3", lambda at: [path, "-c", _BOTO, verb, endpoint, bucket, rest, at])
    )


def _slashed(at: Path, verb: str) -> str:
    return f"{at}/" if verb == "tree" else str(at)


def ssh_rivals(server: SshServer, verb: str, path: Path) -> Iterator[Rival]:
    """Yield who does `fetch`, `tree` or `put` of a path with a machine behind sshd."""
    options = ["-i", str(server.key), "-o", f"UserKnownHostsFile={server.known_hosts}", "-o", "BatchMode=yes"]
    options += ["-o", "IdentitiesOnly=yes", "-c", "aes128-gcm@openssh.com"]
    there = f"127.0.0.1:{path}"

    def scp(program: str) -> Rival:
        base: list[str | Path] = [program, "-q", "-r", "-P", str(server.port), *options]
        return Rival("scp", lambda at: [*base, at, there] if verb == "put" else [*base, there, at])

    def rsync(program: str) -> Rival:
        shell = " ".join(["ssh", "-p", str(server.port), *options])
        base: list[str | Path] = [program, "-r", "-W", "-e", shell]
        return Rival(
            "rsync", lambda at: [*base, at, there] if verb == "put" else [*base, _slashed(Path(there), verb), at]
        )

    yield from _if("scp", scp)
    yield from _if("rsync", rsync)


def http_rivals(url: str, names: Sequence[str]) -> Iterator[Rival]:
    """Yield who fetches one URL, or many names below it."""

    def curl(program: str) -> Rival:
        if not names:
            return Rival("curl", lambda at: [program, "-sSf", "-o", at, url])
        pattern = f"{url}[0000-{len(names) - 1:04d}].bin"
        base: list[str | Path] = [program, "-sSf", "--parallel", "--parallel-max", "16", "--create-dirs"]
        return Rival("curl", lambda at: [*base, "-o", f"{at}/#1.bin", pattern])

    yield from _if("curl", curl)
