"""Stages on Ray: streams of units, workers, placement, retries."""
