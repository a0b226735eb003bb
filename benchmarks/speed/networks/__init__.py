"""What networks cost: the generators, the models of the annotator, scorers without training."""
