"""What the job system costs beside the work: streams of stages, many shards, listings, the registry of identities."""
