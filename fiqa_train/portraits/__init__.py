"""Portraits with 68 landmarks and a score: of a run, and of folders in the layout of GFIQA-20k and CGFIQA-40k."""
