"""Entry point of the ffmpeg module."""
