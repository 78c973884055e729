"""The figures of this machine."""

from __future__ import annotations

import os
import shutil

from cryocloud_core.head.machine import disk_names, measure


def test_figures_are_those_of_this_machine() -> None:
    """Memory and the root disk as other sources tell them; processors in percent of one."""
    figures, _ = measure(0.05)

    assert figures["root.total"] == shutil.disk_usage("/").total
    assert figures["memory.total"] == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert figures["cpu.count"] == os.cpu_count()
    used = sum(figures[f"cpu.{name}"] for name in ("user", "nice", "system", "idle", "iowait"))
    assert 0 <= used <= 100.0 * figures["cpu.count"] + 1


def test_disks_are_named_by_the_last_part_of_their_mount_point() -> None:
    """The first by path has a name that two would have; what holds no files of users has none."""
    mounts = {
        "/": "ext4",
        "/srv/cache": "xfs",
        "/mnt/cache": "nfs4",
        "/data/": "zfs",
        "/proc": "proc",
        "/sys/fs/x": "ext4",
        "/snap/core": "squashfs",
        "/run/user": "tmpfs",
        "/runs": "ext4",
    }

    assert disk_names(mounts) == (
        {"root": "/", "cache": "/mnt/cache", "data": "/data/", "runs": "/runs"},
        ["/srv/cache"],
    )
