"""Audit of quality scorers on held-out images: factors, levels of the label, groups of people."""
