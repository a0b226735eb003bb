"""Exactly-once commits of units and shards."""
