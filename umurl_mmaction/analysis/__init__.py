"""Run logs, and tables of runs."""
