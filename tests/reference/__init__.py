"""The plain method, written from the paper's formulas: the tests' oracle."""
