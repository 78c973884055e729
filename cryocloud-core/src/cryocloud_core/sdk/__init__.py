"""What plugin authors touch: hooks, specs, the contracts of the four kinds of plugin."""
