"""Growth of every job with the size of a run."""
