"""The architectures that a model card may name."""
