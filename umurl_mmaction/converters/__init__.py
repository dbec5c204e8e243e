"""What the converters in ``tools/data`` share."""
