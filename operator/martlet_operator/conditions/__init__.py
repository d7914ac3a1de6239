"""Conditions are set and folded here and nowhere else."""
