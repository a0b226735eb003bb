"""Export of a labelled dataset in published layouts, with a dataset card."""
