"""Leaderboards: scorers by test set, judge and false match rate."""
