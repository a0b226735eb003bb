"""Commits of units and shards, each made exactly once."""
