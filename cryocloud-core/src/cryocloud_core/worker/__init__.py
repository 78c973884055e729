"""Where work is done: takes Tasks, calls modules, answers each with exactly one Outcome; never sees a workflow."""
