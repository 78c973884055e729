"""Entry point of the built-in modules: lists them, imports none of them."""
