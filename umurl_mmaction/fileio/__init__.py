"""What touches files: atomic writing, safe loading, annotation files."""
