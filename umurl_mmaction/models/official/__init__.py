"""Checkpoints of the paper's code: names, shapes, files."""
