"""The command lines of ffmpeg and ffprobe, built without either."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cryocloud_ffmpeg.command import Media, Wanted, probe_command, read_probe, transcode_command

VIDEO = Media(2.0, "h264", "aac")


def options(args: dict[str, Any]) -> str:
    """Return the options for the output, in one text, without the container's."""
    return " ".join(Wanted.read(args).options("wav")).removesuffix("-f wav").strip()


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({}, ""),
        ({"size": None, "copy": None, "mono": None}, ""),
        ({"copy": "true"}, "-c:v copy -c:a copy"),
        ({"copy": "false", "noaudio": "no"}, ""),
        ({"vcopy": 1}, "-c:v copy"),
        ({"acopy": True, "size": "640x360"}, "-vf scale=640:360 -c:a copy"),
        ({"noaudio": "yes"}, "-an"),
        ({"noaudio": True, "acopy": True, "mono": True}, "-an"),
        ({"mono": "1", "audio_hz": "16000"}, "-ac 1 -ar 16000"),
        ({"bitrate_video": "2.5M", "vcodec": "H265"}, "-c:v libx265 -b:v 2.5M"),
        ({"vcodec": "ffv1", "acodec": "libopus", "bitrate_audio": 64000}, "-c:v ffv1 -c:a libopus -b:a 64000"),
        ({"size": "640"}, "-vf scale=640:-2"),
        ({"size": "-2x480"}, "-vf scale=-2:480"),
        ({"size": "hd720"}, "-s hd720"),
    ],
)
def test_arguments_become_options(args: dict[str, Any], expected: str) -> None:
    """Flags count by their truth; noaudio is -an and leaves other options of sound out."""
    assert options(args) == expected


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"vcopy": True, "size": "640"}, "size changes what vcopy leaves"),
        ({"copy": True, "bitrate_video": "1M"}, "bitrate_video changes what copy leaves"),
        ({"acopy": "yes", "mono": "yes"}, "mono changes what acopy leaves"),
        ({"size": "640x"}, "size must look like"),
        ({"size": "big; rm"}, "size must be a plain word"),
        ({"bitrate_video": "fast"}, "bitrate_video must be a number"),
        ({"audio_hz": "-1"}, "audio_hz must be a number"),
        ({"container": "../x"}, "container must be a plain word"),
        ({"vcodec": "-y"}, "vcodec must be a plain word"),
        ({"noaudio": "perhaps"}, "noaudio must be"),
    ],
)
def test_wrong_and_contradicting_arguments_are_refused(args: dict[str, Any], said: str) -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match=said):
        options(args)


@pytest.mark.parametrize(
    ("args", "media", "dst", "container"),
    [
        ({}, VIDEO, "", "mp4"),
        ({"container": "auto"}, VIDEO, "out.webm", "webm"),
        ({"container": "mkv"}, VIDEO, "out.mp4", "mkv"),
        ({}, VIDEO, "out.MP4", "mp4"),
        ({}, VIDEO, "out.v1", "mp4"),
        ({"vcodec": "h265"}, VIDEO, "", "mp4"),
        ({"vcodec": "vp8"}, VIDEO, "", "webm"),
        ({"vcodec": "vp9"}, VIDEO, "", "webm"),
        ({"copy": True}, Media(1, "vp9", "opus"), "", "webm"),
        ({"copy": True}, Media(1, "hevc", ""), "", "mp4"),
        ({"vcopy": True}, Media(1, "prores", ""), "", "mkv"),
        ({}, Media(1, "", "pcm_s16le"), "", "mp4"),
        ({"copy": True}, Media(1, "", "mp3"), "", "mp3"),
    ],
)
def test_the_container_follows_from_what_is_said(args: dict[str, Any], media: Media, dst: str, container: str) -> None:
    """The one given, else dst's extension, else what the codec goes into."""
    assert Wanted.read(args).container_for(media, dst) == container


def test_the_muxer_is_named_as_ffmpeg_names_it() -> None:
    """And mp4 can be played while it loads."""
    assert Wanted().options("mkv") == ["-f", "matroska"]
    assert Wanted().options("mp4") == ["-movflags", "+faststart", "-f", "mp4"]


def test_file_names_are_no_options_and_no_protocols() -> None:
    """Each stands behind `file:`."""
    assert probe_command("/ffprobe", "/a/concat:x")[-1] == "file:/a/concat:x"
    argv = transcode_command("/ffmpeg", "-y", ["-an"], "out%d")
    assert argv[argv.index("-i") + 1] == "file:-y"
    assert argv[-2:] == ["-an", "file:out%d"]
    assert "-nostdin" in argv


def test_a_probe_is_read() -> None:
    """The first stream of each kind; covers are no video; a length may be unknown."""
    streams = [
        {"codec_type": "video", "codec_name": "mjpeg", "disposition": {"attached_pic": 1}},
        {"codec_type": "audio", "codec_name": "mp3", "disposition": {"attached_pic": 0}},
        {"codec_type": "audio", "codec_name": "aac"},
        {"codec_type": "data"},
    ]
    assert read_probe(json.dumps({"streams": streams, "format": {"duration": "12.5"}})) == Media(12.5, "", "mp3")
    assert read_probe('{"format": {"duration": "N/A"}}') == Media()
    assert read_probe("{}") == Media()
