"""The transfers that core brings: thin classes behind the same hook as a stranger's."""
