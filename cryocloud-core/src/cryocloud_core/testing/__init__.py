"""What authors test with: flows as given, when, then; conformance kits; strategies; faults."""
