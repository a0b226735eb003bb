"""Bytes on any store, with retries and classified faults."""
