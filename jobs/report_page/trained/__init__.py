"""The models of a label pass on the report: training and evaluation."""
