"""Jobs that combine several floors: the whole run, bundled networks, benchmark, banks, GPU plan."""
