"""EDC, pAUC, pairs, confidence intervals and the evaluation of a run."""
