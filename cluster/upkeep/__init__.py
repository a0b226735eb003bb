"""Status, verification, garbage collection and utilisation of a run folder."""
