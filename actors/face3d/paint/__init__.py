"""Colours of the face: features, skin and what is drawn on it."""
