"""What is told of transfers while they go on, where there is no terminal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CRYOCLOUD = str(Path(sys.executable).parent / "cryocloud")


def test_each_repeat_is_a_line_on_stderr_also_without_a_terminal(tmp_path: Path) -> None:
    """Why, and after which wait; the error comes last."""
    settings = f'tempdir = "{tmp_path}/tmp"\ntransfer_retries = 2\ntransfer_retry_wait = 0.01\n'
    (tmp_path / "cryocloud.toml").write_text(f"[CryoCloud.Worker]\n{settings}")

    command = [CRYOCLOUD, "stage", "http://127.0.0.1:1/a?token=Zq123"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=tmp_path)
    *repeats, error = done.stderr.decode().splitlines()
    assert [line.rpartition("; ")[2] for line in repeats] == ["again in 0.0 s", "again in 0.0 s"]
    assert all(line.startswith("http://127.0.0.1:1/a?token=•••: ") for line in repeats)
    assert "again in" not in error
