"""Scorers that read quality from a recognition network, without labels."""
