"""Generators of identities and samples, and the 3-D face models behind them."""
