"""Qualities computed without a network."""
