"""Checkpoints of the paper's code: names, checks and files."""
