"""Ladders of camera faults on whole photographs: pictures of them, and labels by a real recogniser along them."""
