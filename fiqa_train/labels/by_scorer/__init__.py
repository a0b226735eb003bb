"""Labels that are the scores of a quality scorer."""
