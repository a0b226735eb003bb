"""Image codecs, alignment, preprocessing and rotations."""
