"""The command line: one file per command, bodies imported when the command runs."""
