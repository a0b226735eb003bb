"""The training loop: optimisers, step sizes, state, validation, log."""
