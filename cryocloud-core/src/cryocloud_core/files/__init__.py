"""Moving bytes: fetch, put, unpack, temporary directories; complete files appear at once, or not at all."""
