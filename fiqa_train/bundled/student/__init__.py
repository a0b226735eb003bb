"""Training of a small recogniser that reproduces the centred space of another embedder, its teacher."""
