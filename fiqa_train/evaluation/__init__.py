"""EDC, pAUC, pairs, intervals and the evaluation of a run."""
