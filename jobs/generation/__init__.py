"""The identity half and the sample half of a generate job, and the checks before them."""
