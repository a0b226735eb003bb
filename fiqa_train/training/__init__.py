"""Training of quality models on Ray Train."""
