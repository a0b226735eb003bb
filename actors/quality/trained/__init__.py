"""Scorers trained on labels of quality."""
