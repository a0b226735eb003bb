"""Labels that are cosines of an embedder once the mean vector of all references of the run is subtracted."""
