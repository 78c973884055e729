"""The head: turns arrivals and outcomes into events, journals them, and performs what the engine commands."""
