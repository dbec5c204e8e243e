"""Functions that the converters in ``tools/data`` share."""
