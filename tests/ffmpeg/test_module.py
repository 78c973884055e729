"""The module ffmpeg with a real ffmpeg, on pictures and sounds that it makes itself."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from cryocloud_core.sdk.registry import Registry
from cryocloud_core.testing.processors import ProcessorConformance
from cryocloud_core.testing.worker import LocalWorker, task_of
from cryocloud_ffmpeg import module as ffmpeg
from cryocloud_ffmpeg import plugin

PICTURE = "testsrc2=size=320x180:rate=25"
SOUND = "sine=frequency=440:sample_rate=44100"


def make(target: Path, seconds: float, *, picture: bool = True, sound: bool = True) -> Path:
    """Make a real file with the test picture, a tone, or both."""
    inputs = [*(["-f", "lavfi", "-i", PICTURE] if picture else []), *(["-f", "lavfi", "-i", SOUND] if sound else [])]
    fast = ["-preset", "ultrafast"] if picture else []
    command = ["ffmpeg", "-nostdin", "-v", "error", *inputs, "-t", str(seconds), *fast, "-y", f"file:{target}"]
    subprocess.run(command, check=True)
    return target


def probe(path: str) -> dict[str, Any]:
    """Return what ffprobe says of a file: container, length, and the streams by kind."""
    command = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", f"file:{path}"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    streams = {stream["codec_type"]: stream for stream in told["streams"]}
    return {"format": told["format"]["format_name"], "duration": float(told["format"]["duration"]), **streams}


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory, program: Callable[[str], str]) -> str:
    """Give two seconds of picture and sound; skip without ffmpeg."""
    program("ffmpeg")
    return str(make(tmp_path_factory.mktemp("media") / "two seconds #1.mp4", 2))


@pytest.fixture
def worker() -> Iterator[LocalWorker]:
    """Give a worker."""
    with LocalWorker() as made:
        yield made


def test_it_transcodes_and_tells_what_came_out(worker: LocalWorker, video: str, tmp_path: Path) -> None:
    """Into a directory that is made, scaled, mono, resampled; size, time and progress are true."""
    args = {"src": [video], "dst": f"{tmp_path}/new dir/", "size": "160x90", "mono": "true", "audio_hz": 16000}
    outputs = worker.run(ffmpeg, args)
    found = probe(outputs["dst"])

    assert outputs["dst"] == f"{tmp_path}/new dir/two seconds #1.mp4"
    assert outputs["size"] == Path(outputs["dst"]).stat().st_size
    assert outputs["time"] == pytest.approx(2, abs=0.05)
    assert (found["video"]["width"], found["video"]["height"], found["video"]["codec_name"]) == (160, 90, "h264")
    assert (found["audio"]["channels"], found["audio"]["sample_rate"]) == (1, "16000")
    told = worker.status.history("progress")
    assert told == sorted(told)
    assert told[-1] == 100
    assert [path.name for path in (tmp_path / "new dir").iterdir()] == ["two seconds #1.mp4"]


def test_copy_changes_the_container_alone(worker: LocalWorker, video: str, tmp_path: Path) -> None:
    """And noaudio leaves the sound out."""
    outputs = worker.run(ffmpeg, {"src": video, "dst": f"{tmp_path}/x.mkv", "copy": True, "noaudio": "yes"})
    found = probe(outputs["dst"])

    assert "matroska" in found["format"]
    assert found["video"]["codec_name"] == "h264"
    assert "audio" not in found


def test_a_webm_is_made_for_vp8(worker: LocalWorker, video: str, tmp_path: Path) -> None:
    """The container follows the codec; a dst without extension gets the container's."""
    outputs = worker.run(ffmpeg, {"src": video, "dst": f"{tmp_path}/x.y", "vcodec": "vp8", "bitrate_video": "200k"})

    assert outputs["dst"] == f"{tmp_path}/x.y.webm"
    assert probe(outputs["dst"])["video"]["codec_name"] == "vp8"


def test_sound_alone_is_transcoded(worker: LocalWorker, video: str, tmp_path: Path, monkeypatch: Any) -> None:
    """From a name that looks like an option, in the working directory."""
    make(tmp_path / "-y:%d.wav", 1, picture=False)
    monkeypatch.chdir(tmp_path)
    outputs = worker.run(ffmpeg, {"src": "-y:%d.wav", "dst": "out.mp3"})

    assert outputs["dst"] == f"{tmp_path}/out.mp3"
    assert probe(outputs["dst"])["audio"]["codec_name"] == "mp3"
    assert outputs["time"] == pytest.approx(1, abs=0.1)


def test_progress_comes_from_the_length_of_the_source(worker: LocalWorker, video: str, tmp_path: Path) -> None:
    """Told while it runs, between nothing and all."""
    src = make(tmp_path / "long.mp4", 20)
    worker.run(ffmpeg, {"src": str(src), "dst": f"{tmp_path}/out.mp4", "vcodec": "h265"})
    between = [value for value in worker.status.history("progress") if 0 < value < 100]

    assert len(set(between)) >= 2
    assert worker.status["speed"].get_value() > 0
    assert [text for text in worker.records.texts("WARNING") if "x265 [warning]" not in text] == []


def test_cancel_kills_it_and_leaves_nothing(worker: LocalWorker, video: str, tmp_path: Path) -> None:
    """A killed ffmpeg leaves a part that plays: it never appears."""
    src = make(tmp_path / "long.mp4", 60, sound=False)
    cancel = threading.Event()
    threading.Timer(1.0, cancel.set).start()
    task = task_of(ffmpeg, {"src": str(src), "dst": f"{tmp_path}/out/", "vcodec": "h265", "size": "1920x1080"})
    began = time.monotonic()
    progress, outputs = ffmpeg.process_task(worker, task, cancel)

    assert time.monotonic() - began < 8
    assert progress < 100
    assert outputs == {}
    assert list((tmp_path / "out").iterdir()) == []


def test_the_exit_code_is_the_truth(worker: LocalWorker, video: str, tmp_path: Path) -> None:
    """A file that cannot be read or written is an error with ffmpeg's words, and what was there stays."""
    (tmp_path / "noise.mp4").write_bytes(b"no video" * 100)
    (tmp_path / "out.mp4").write_text("old")

    with pytest.raises(RuntimeError, match=r"cannot read '.*noise\.mp4': .*[Ii]nvalid data"):
        worker.run(ffmpeg, {"src": f"{tmp_path}/noise.mp4", "dst": f"{tmp_path}/out.mp4"})
    with pytest.raises(RuntimeError, match=r"ended with exit code 1: .*no_such_coder"):
        worker.run(ffmpeg, {"src": video, "dst": f"{tmp_path}/out.mp4", "vcodec": "no_such_coder"})
    assert (tmp_path / "out.mp4").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["noise.mp4", "out.mp4"]


def test_src_is_never_overwritten(worker: LocalWorker, video: str, tmp_path: Path) -> None:
    """Not even by the directory it lies in."""
    before = Path(video).read_bytes()

    with pytest.raises(ValueError, match="is src itself"):
        worker.run(ffmpeg, {"src": video, "dst": str(Path(video).parent)})
    assert Path(video).read_bytes() == before


def test_without_ffmpeg_it_says_what_is_missing(
    worker: LocalWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both when it is offered and when it is run."""
    (tmp_path / "x").touch()
    (tmp_path / "ffmpeg").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    for attempt in (ffmpeg.canrun, lambda: worker.run(ffmpeg, {"src": f"{tmp_path}/x", "dst": "/tmp/y"})):
        with pytest.raises(RuntimeError, match="not on PATH here: ffprobe; install it"):
            attempt()


def test_the_package_offers_ffmpeg() -> None:
    """Through the hook that every plugin uses."""
    registry = Registry.of(plugin)
    registry.check()

    assert sorted(registry.processors()) == ["ffmpeg"]


class TestConformance(ProcessorConformance):
    """The contract of processors."""

    bad_args = (
        ({"dst": "/x"}, "src"),
        ({"src": "/none", "dst": "/x"}, "/none"),
        ({"src": ["/a", "/b"]}, "loop"),
        ({"src": __file__, "size": "big one"}, "size"),
    )

    @pytest.fixture
    def module(self) -> ModuleType:
        """The module."""
        return ffmpeg

    @pytest.fixture
    def good_args(self, video: str, tmp_path: Path) -> dict[str, Any]:
        """A small transcoding."""
        return {"src": video, "dst": f"{tmp_path}/out.mp4", "size": "64"}

    defaults: ClassVar = {"priority": 0, "runOn": "success"}

    def test_it_runs_after_success_at_the_lowest_priority(self, module: ModuleType) -> None:
        """What users may count on."""
        assert module.ccmodule["defaults"] == self.defaults
