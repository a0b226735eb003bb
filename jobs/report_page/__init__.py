"""The report page: what is read of a run, how it is drawn, and the template it is set in."""
