"""Scores of images in files of other tools: their rows, and the images that they name."""
