"""Core's own entry point: what core registers through the hooks that every plugin uses."""
