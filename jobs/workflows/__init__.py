"""Jobs that combine several packages: the whole run, bundled networks, benchmark, template banks, GPU plan."""
