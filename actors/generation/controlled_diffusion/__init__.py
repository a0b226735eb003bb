"""Stable Diffusion under control of identity and geometry: the conditional generator of the published method."""
