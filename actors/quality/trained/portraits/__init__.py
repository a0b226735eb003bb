"""Scorers of portraits: frames cut from photographs, test-time crops, and networks that read them."""
