"""What the system costs: one module for each workload, and one command that prints the table of all."""
