"""A verification benchmark for quality models that anyone can make again, byte for byte, from a seed."""
