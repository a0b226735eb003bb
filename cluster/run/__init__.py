"""One run folder: manifest, fingerprint, generations, lease."""
