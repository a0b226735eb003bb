"""Stable Diffusion controlled by identity and geometry: the conditional generator of the published method."""
