"""Chaos tests: seeded mixes of kills, take-overs, full disks and failing stores, each checked to the last row."""
