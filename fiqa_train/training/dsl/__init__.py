"""Training of DSL-FIQA on portraits: their batches, the two objectives, and validation on tiled crops."""
