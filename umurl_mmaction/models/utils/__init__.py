"""What the models share: gathering, views, encoding, neighbours."""
