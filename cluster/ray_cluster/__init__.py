"""The Ray cluster of a job: its address, its start, its nodes, and what its workers wait for."""
