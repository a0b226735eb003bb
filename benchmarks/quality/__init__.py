"""Measurements of quality: bars of the faces, label fusion, picture sheets, tables of the rendered benchmark."""
