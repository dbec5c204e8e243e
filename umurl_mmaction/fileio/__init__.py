"""Reading and writing of files: atomic, and safe for untrusted files."""
