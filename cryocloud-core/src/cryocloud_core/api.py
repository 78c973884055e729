"""Load, check and run workflows from scripts and notebooks."""
