"""Entry point of the idl module."""
