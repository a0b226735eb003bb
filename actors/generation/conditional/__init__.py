"""Samples of an identity under a recipe, rendered or by diffusion, and template banks."""
