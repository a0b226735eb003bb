"""People of the bars and their ladders: each factor alone from clean to the worst, drawn as in a run."""
