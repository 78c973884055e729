"""The modules that every CryoCloud workflow can count on."""

__version__ = "0.1.0"
