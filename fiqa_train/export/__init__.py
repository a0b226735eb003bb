"""Published layouts of a labelled dataset."""
