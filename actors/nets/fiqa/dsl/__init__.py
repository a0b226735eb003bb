"""DSL-FIQA (2406.09622): degradation encoder, landmark-guided transformer, and their parts."""
