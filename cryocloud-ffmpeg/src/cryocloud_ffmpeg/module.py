"""Module `ffmpeg`: transcodes a sound or video file; the result appears under its name when it is whole."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import threading
import uuid
from typing import Any

from cryocloud_core.sdk.processor import Worker, as_list
from cryocloud_core.sdk.program import run_program
from cryocloud_ffmpeg.command import Media, Wanted, extension_of, probe_command, read_probe, transcode_command
from cryocloud_ffmpeg.progress import Progress

ccmodule = {
    "description": "Transcode sound and video with ffmpeg",
    "depends": [],
    "provides": [],
    "inputs": {
        "src": "The file to transcode",
        "dst": "The new file, or a directory (existing, or ending in /); without an extension it gets its container's",
        "size": "Size of the picture: 640x360, 640 (the height follows) or a name like hd720",
        "bitrate_video": "Bits a second of the picture: 2M, 800k",
        "bitrate_audio": "Bits a second of the sound: 128k",
        "vcodec": "How the picture is coded: h264, h265, vp8, vp9 or an encoder of ffmpeg",
        "acodec": "How the sound is coded: aac, libopus or another encoder of ffmpeg",
        "copy": "Take picture and sound over as they are (default false)",
        "vcopy": "Take the picture over as it is (default false)",
        "acopy": "Take the sound over as it is (default false)",
        "noaudio": "Leave the sound out, whatever else is said about it (default false)",
        "container": "mp4, webm, mkv, …; default or auto: by dst's extension, else mp4 for h264/h265, webm for vp8/vp9",
        "mono": "Mix the sound down to one channel (default false)",
        "audio_hz": "Samples a second of the sound: 16000",
    },
    "outputs": {
        "size": "Size of the new file in bytes",
        "time": "Length of the new file in seconds",
        "dst": "The new file",
    },
    "defaults": {"priority": 0, "runOn": "success"},
    "status": {"progress": "How much of the length is done, 0 to 100", "speed": "Times the speed of playing it"},
}

#: when asked to end, ffmpeg still encodes what it has read, which may take long; nobody wants that part
GRACE_S = 1.0

#: x265 tells its settings and results whatever ffmpeg was told to tell
CHATTER = re.compile(r"x265 \[info\]|encoded \d+ frames|$")


def canrun() -> bool:
    """Tell whether ffmpeg and ffprobe are there; raises RuntimeError saying what is missing."""
    return bool(find_programs())


def find_programs() -> tuple[str, str]:
    """Return the paths of ffmpeg and ffprobe. Raises RuntimeError naming what is missing."""
    found = {name: shutil.which(name) for name in ("ffmpeg", "ffprobe")}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise RuntimeError(f"ffmpeg: not on PATH here: {', '.join(missing)}; install it (Debian: ffmpeg)")
    return str(found["ffmpeg"]), str(found["ffprobe"])


def process_task(
    worker: Worker, task: dict[str, Any], cancel_event: threading.Event | None = None
) -> tuple[int, dict[str, Any]]:
    """Transcode and return size, time and dst.

    Raises ValueError or FileNotFoundError for wrong arguments, RuntimeError with what ffmpeg said when it fails.
    """
    args = task["args"]
    src, wanted = _source(args.get("src")), Wanted.read(args)
    ffmpeg, ffprobe = find_programs()
    media = _probe(ffprobe, src, cancel_event)
    dst, container = _destination(args.get("dst"), src, wanted, media)
    os.makedirs(os.path.dirname(dst), exist_ok=True)
    # A part that was killed may well play: only the exit code says that it is whole.
    fresh = os.path.join(os.path.dirname(dst), f".cc-{uuid.uuid4().hex}.{container}")
    progress = Progress(media.duration_s)
    try:
        argv = transcode_command(ffmpeg, src, wanted.options(container), fresh)
        if not _transcode(worker, argv, progress, cancel_event):
            return int(min(progress.percent or 0, 99)), {}
        length_s = _probe(ffprobe, fresh, cancel_event).duration_s
        _finish(fresh, dst)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
    worker.progress(100)
    return 100, {"size": os.path.getsize(dst), "time": progress.time_s if length_s is None else length_s, "dst": dst}


def _probe(program: str, src: str, cancel_event: threading.Event | None) -> Media:
    said: list[str] = []
    done = run_program(probe_command(program, src), cancel_event=cancel_event, on_line=said.append)
    if done.stopped is not None:
        return Media()
    if done.returncode != 0:
        raise RuntimeError(f"ffmpeg: cannot read {src!r}: {'; '.join(done.stderr_tail[-3:]) or done.describe()}")
    media = read_probe("\n".join(said))
    if not media.video and not media.audio:
        raise ValueError(f"ffmpeg: src {src!r} holds neither picture nor sound")
    return media


def _transcode(worker: Worker, argv: list[str], progress: Progress, cancel_event: threading.Event | None) -> bool:
    """Run ffmpeg; False when it was cancelled."""

    def hear(line: str) -> None:
        if progress.feed(line) and progress.percent is not None:
            worker.progress(progress.percent)
            worker.status["speed"] = progress.speed

    def complain(line: str) -> None:
        worker.log.log(logging.DEBUG if CHATTER.match(line) else logging.WARNING, "ffmpeg: %s", line)

    worker.log.debug("ffmpeg: %s", argv)
    done = run_program(argv, cancel_event=cancel_event, on_line=hear, on_error_line=complain, grace_s=GRACE_S)
    if done.returncode != 0 and done.stopped is None:
        raise RuntimeError(f"ffmpeg: {done.describe()}: {'; '.join(done.stderr_tail[-4:])}")
    return done.stopped is None


def _finish(fresh: str, dst: str) -> None:
    with open(fresh, "rb") as written:
        os.fsync(written.fileno())
    os.replace(fresh, dst)


def _source(value: Any) -> str:
    sources = [source for source in as_list(value) if source is not None]
    if len(sources) > 1:
        raise ValueError(f"ffmpeg: src holds {len(sources)} files; transcode each with the node's loop or splitOn")
    if not sources or not isinstance(sources[0], str):
        raise ValueError(f"ffmpeg: src must be a file, got {value!r}")
    if not os.path.isfile(sources[0]):
        raise FileNotFoundError(f"ffmpeg: src {sources[0]!r} does not exist")
    return os.path.abspath(sources[0])


def _destination(value: Any, src: str, wanted: Wanted, media: Media) -> tuple[str, str]:
    """Return the new file's absolute path and its container."""
    if not value or not isinstance(value, str):
        raise ValueError(f"ffmpeg: dst must be a file or a directory, got {value!r}")
    is_folder = value.endswith("/") or os.path.isdir(value)
    name = os.path.splitext(os.path.basename(src))[0] if is_folder else os.path.basename(value)
    container = wanted.container_for(media, "" if is_folder else name)
    if is_folder or not extension_of(name):
        name = f"{name}.{container}"
    dst = os.path.join(os.path.abspath(value if is_folder else os.path.dirname(value) or "."), name)
    if os.path.exists(dst) and os.path.samefile(src, dst):
        raise ValueError(f"ffmpeg: dst {dst!r} is src itself; name another file")
    return dst, container
