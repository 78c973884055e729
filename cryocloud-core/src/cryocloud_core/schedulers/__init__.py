"""The schedulers that core brings: they place tasks on workers and tell what became of them."""
