"""The report page: reads a run, draws it and fills the template."""
