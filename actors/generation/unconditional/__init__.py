"""Candidate identities, rendered or by unconditional diffusion."""
