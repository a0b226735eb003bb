"""Evaluation of a run's model on test sets from outside the run."""
