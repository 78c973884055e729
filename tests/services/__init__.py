"""Real services for the tests, on loopback: one file per service, each with its fixtures."""
