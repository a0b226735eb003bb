"""Quality models, losses, data loading, training, evaluation and scorers."""
