"""The bundled quality model of portraits: renders, degradations, a training without Ray."""
