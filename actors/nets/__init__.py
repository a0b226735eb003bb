"""Network architectures, without weights and without I/O."""
