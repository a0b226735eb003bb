"""FROQ: quality from the norms of a few layers of a recognition network (Babnik et al. 2025), without training."""
