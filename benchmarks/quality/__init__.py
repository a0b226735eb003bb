"""Measures quality: bars of faces, label fusion, sheets, benchmark tables."""
