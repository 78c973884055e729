"""CryoCloud: event-driven file processing with workflows of plugin modules."""

__version__ = "0.1.0"
