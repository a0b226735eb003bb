"""Where a run lives: storage, shard store, placement, Ray sessions, progress."""
