"""Results of jobs as lines and tables for a terminal."""
