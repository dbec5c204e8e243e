"""Gathering over ranks, encoding of a dataset, nearest neighbours."""
