"""The figures of this machine: processors, memory and disks, as the channel `NodeController.<machine>` shows them.

Laws: measured on a thread of its own, for a dead network disk may hold a look up for ever; what was not measured
anew in time expires, so that nobody decides by an old figure.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import define, field

#: seconds between two measurements, and after which one is too old to be used
EVERY_S: Final = 5.0
EXPIRES_S: Final = 30.0
#: seconds over which the first measurement looks at the processors
FIRST_S: Final = 0.1

#: file systems that hold no files of users, or are always full
_PSEUDO: Final = frozenset(
    {"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs"}
    | {"fuse.lxcfs", "fuse.portal", "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "ramfs", "rpc_pipefs"}
    | {"securityfs", "selinuxfs", "squashfs", "sysfs", "tracefs"}
)
_SYSTEM: Final = ("/dev", "/proc", "/run", "/sys")
_CPU: Final = ("user", "nice", "system", "idle", "iowait")


def disk_names(mounts: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return a name for each disk, the last part of its mount point, and the mount points that must do without one.

    `mounts` maps mount points to file system types; of two with the same last part the first by path has the name.
    """
    names: dict[str, str] = {}
    nameless = []
    for mount, kind in sorted(mounts.items()):
        if kind in _PSEUDO or any(mount == top or mount.startswith(f"{top}/") for top in _SYSTEM):
            continue
        name = mount.rstrip("/").rpartition("/")[2] or "root"
        if name in names:
            nameless.append(mount)
        else:
            names[name] = mount
    return names, nameless


def measure(over_s: float | None = None) -> tuple[dict[str, Any], list[str]]:
    """Return this machine's figures by parameter (bytes; percent of one processor), and the disks without a name.

    The processors' figures are those since the last call, or over `over_s` seconds from now.
    """
    import psutil

    count = psutil.cpu_count() or 1
    times = psutil.cpu_times_percent(over_s)
    memory = psutil.virtual_memory()
    figures: dict[str, Any] = {f"cpu.{name}": round(getattr(times, name, 0.0) * count, 1) for name in _CPU}
    figures |= {"cpu.count": count, "cpu.count_physical": psutil.cpu_count(logical=False) or count}
    figures |= {f"memory.{name}": getattr(memory, name, 0) for name in ("total", "available", "active")}
    names, nameless = disk_names({each.mountpoint: each.fstype for each in psutil.disk_partitions(all=True)})
    for name, mount in {"root": "/", **names}.items():
        figures |= _disk(name, mount)
    return figures, nameless


def _disk(name: str, mount: str) -> dict[str, Any]:
    """Return the figures of one disk, none for what is no directory or cannot be looked at."""
    import psutil

    try:
        if not stat.S_ISDIR(os.stat(mount).st_mode):  # noqa: PTH116 - one call; a bound file is no disk
            return {}
        usage = psutil.disk_usage(mount)
    except OSError:
        return {}
    found = {"total": usage.total, "used": usage.used, "free": usage.free, "percent": usage.percent}
    return {f"{name}.{key}": value for key, value in found.items()} if usage.total else {}


@define(eq=False)
class Machine:
    """Measures every few seconds and tells `told` the figures and the disks without a name, on its own thread."""

    told: Callable[[dict[str, Any], list[str]], None]
    _over: threading.Event = field(factory=threading.Event)

    def start(self) -> None:
        """Begin to measure."""
        threading.Thread(target=self._measure_forever, name="machine", daemon=True).start()

    def stop(self) -> None:
        """Begin no further measurement; one that hangs is left alone."""
        self._over.set()

    def _measure_forever(self) -> None:
        # The start of a run has better things to do than to load psutil.
        pause = 0.5
        while not self._over.wait(pause):
            began = time.monotonic()
            self.told(*measure(FIRST_S if pause < 1 else None))
            pause = max(1.0, EVERY_S - (time.monotonic() - began))
