"""The command lines of ffprobe and ffmpeg for a set of arguments.

Laws: pure; nothing is looked up and nothing is run. File names go behind `file:`, so that none is taken for an option
or a protocol. Flags count by their truth, not by being there.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from cryocloud_core.sdk.processor import flag

#: names that people use and the encoders that make them
ENCODERS = {"h264": "libx264", "h265": "libx265", "hevc": "libx265", "vp8": "libvpx", "vp9": "libvpx-vp9"}
#: which container a video codec goes into, and an audio codec where there is no video
VIDEO_CONTAINERS = {"h264": "mp4", "h265": "mp4", "hevc": "mp4", "vp8": "webm", "vp9": "webm"}
AUDIO_CONTAINERS = {"aac": "mp4", "mp3": "mp3", "opus": "webm", "vorbis": "webm"}
#: names of containers whose muxer or file extension is called otherwise
MUXERS = {"mkv": "matroska", "ts": "mpegts", "m4a": "ipod", "aac": "adts", "mpg": "mpeg"}
#: extensions that name a container; any other belongs to the name of the file
EXTENSIONS = frozenset(MUXERS) | frozenset(
    ["mp4", "mov", "webm", "mp3", "wav", "flac", "ogg", "opus", "avi", "flv", "gif", "mxf"]
)
RATE = re.compile(r"\d+(\.\d+)?[kKMG]?")


@frozen
class Media:
    """What ffprobe tells of a file: length in seconds (None where unknown), codecs of its first streams."""

    duration_s: float | None = None
    video: str = ""
    audio: str = ""


@frozen
class Wanted:
    """The module's arguments, read. Texts are empty where not given."""

    size: str = ""
    bitrate_video: str = ""
    bitrate_audio: str = ""
    vcodec: str = ""
    acodec: str = ""
    audio_hz: str = ""
    container: str = ""
    mono: bool = False
    noaudio: bool = False

    @classmethod
    def read(cls, args: Mapping[str, Any]) -> Wanted:
        """Return what is wanted. Raises ValueError naming the argument that is wrong or contradicts another."""
        flags = {name: flag(args.get(name), name=name) for name in ("copy", "acopy", "vcopy", "mono", "noaudio")}
        texts = {name: _text(args, name) for name in ("size", "vcodec", "acodec", "container")}
        rates = {name: _rate(args, name) for name in ("bitrate_video", "bitrate_audio", "audio_hz")}
        video = "vcopy" if flags["vcopy"] else "copy" if flags["copy"] else ""
        audio = "acopy" if flags["acopy"] else "copy" if flags["copy"] else ""
        given = {**texts, **rates, "mono": flags["mono"]}
        _refuse_contradiction(video, given, ("size", "bitrate_video", "vcodec"))
        if not flags["noaudio"]:
            _refuse_contradiction(audio, given, ("mono", "audio_hz", "bitrate_audio", "acodec"))
        if video:
            texts["vcodec"] = "copy"
        if audio:
            texts["acodec"] = "copy"
        return cls(**texts, **rates, mono=flags["mono"], noaudio=flags["noaudio"])

    def container_for(self, media: Media, dst: str) -> str:
        """Return the container: the one given, else what the name of `dst` says, else what the codecs go into."""
        if self.container and self.container != "auto":
            return self.container
        extension = extension_of(dst)
        if extension:
            return extension
        video = media.video if self.vcodec == "copy" else self.vcodec or "h264"
        audio = media.audio if self.acodec == "copy" else self.acodec or "aac"
        known = VIDEO_CONTAINERS.get(video) if media.video else AUDIO_CONTAINERS.get(audio)
        return known or "mkv"

    def options(self, container: str) -> list[str]:
        """Return ffmpeg's options for the output, without its name."""
        words = [*self._video(), *(["-an"] if self.noaudio else self._audio())]
        if container in ("mp4", "m4a", "mov"):
            words += ["-movflags", "+faststart"]
        return [*words, "-f", MUXERS.get(container, container)]

    def _video(self) -> list[str]:
        words = ["-c:v", ENCODERS.get(self.vcodec, self.vcodec)] if self.vcodec else []
        words += ["-b:v", self.bitrate_video] if self.bitrate_video else []
        return words + _scaling(self.size)

    def _audio(self) -> list[str]:
        words = ["-c:a", self.acodec] if self.acodec else []
        words += ["-b:a", self.bitrate_audio] if self.bitrate_audio else []
        words += ["-ac", "1"] if self.mono else []
        return words + (["-ar", self.audio_hz] if self.audio_hz else [])


def extension_of(name: str) -> str:
    """Return the extension of a file name when it names a container, else nothing."""
    extension = os.path.splitext(name)[1][1:].lower()
    return extension if extension in EXTENSIONS else ""


def probe_command(program: str, src: str) -> list[str]:
    """Return how to ask ffprobe about a file."""
    entries = "format=duration:stream=codec_type,codec_name,disposition"
    return [program, "-v", "error", "-show_entries", entries, "-of", "json", "-i", f"file:{src}"]


def read_probe(text: str) -> Media:
    """Return what ffprobe's JSON tells; pictures that belong to a sound file are no video."""
    told = json.loads(text)
    length = told.get("format", {}).get("duration")
    found = {"video": "", "audio": ""}
    for stream in told.get("streams", []):
        is_cover = stream.get("disposition", {}).get("attached_pic")
        kind = stream.get("codec_type", "")
        if kind in found and not found[kind] and not is_cover:
            found[kind] = stream.get("codec_name", "")
    return Media(None if length in (None, "N/A") else float(length), found["video"], found["audio"])


def transcode_command(program: str, src: str, options: list[str], dst: str) -> list[str]:
    """Return how to transcode, with progress told on stdout four times a second."""
    telling = ["-nostdin", "-hide_banner", "-v", "error", "-progress", "pipe:1", "-stats_period", "0.25", "-nostats"]
    return [program, *telling, "-y", "-i", f"file:{src}", *options, f"file:{dst}"]


def _scaling(size: str) -> list[str]:
    """Return the options for a size: `640x360`, `640` (the height follows), `640x-2`, `hd720`."""
    if not size:
        return []
    if match := re.fullmatch(r"(-?\d+)[x:](-?\d+)", size):
        return ["-vf", f"scale={match[1]}:{match[2]}"]
    if size.isdecimal():
        return ["-vf", f"scale={size}:-2"]
    if re.fullmatch(r"[a-z]+[a-z0-9]*", size):
        return ["-s", size]
    raise ValueError(f"ffmpeg: size must look like 640x360, 640 or hd720, got {size!r}")


def _refuse_contradiction(copying: str, given: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if copying and given[name]:
            raise ValueError(f"ffmpeg: {name} changes what {copying} leaves as it is; give only one of them")


def _text(args: Mapping[str, Any], name: str) -> str:
    text = "" if args.get(name) is None else str(args[name]).strip().lower()
    if not re.fullmatch(r"[a-z0-9_:-]*", text) or (text.startswith("-") and name != "size"):
        raise ValueError(f"ffmpeg: {name} must be a plain word, got {args[name]!r}")
    return text


def _rate(args: Mapping[str, Any], name: str) -> str:
    text = "" if args.get(name) is None else str(args[name]).strip()
    if text and not RATE.fullmatch(text):
        raise ValueError(f"ffmpeg: {name} must be a number like 128000 or 128k, got {args[name]!r}")
    return text
