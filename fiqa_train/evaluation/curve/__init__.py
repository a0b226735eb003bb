"""Parts of an error-versus-discard curve: cuts by quality, thresholds, similarities, areas."""
