"""Comparison of training objectives, labels and seeds."""
