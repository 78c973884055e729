"""Transcodes audio and video with ffmpeg as a CryoCloud module."""

__version__ = "0.1.0"
