"""Checks that a card is true of its weights: load, canary, and what a recorded canary rests on."""
