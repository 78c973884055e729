"""Runs IDL and GDL programs as CryoCloud modules."""

__version__ = "0.1.0"
