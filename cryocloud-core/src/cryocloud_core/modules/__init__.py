"""Finding code: where a module lives, what it declares, how it is loaded; nothing here runs a task."""
