"""The config tree: TOML files of the project and the user, the environment, and where each value came from."""
