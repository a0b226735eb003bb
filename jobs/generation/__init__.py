"""The two halves of a generate job, and what is checked before them."""
