"""A camera: optics and sensor in linear light, image processing and codecs, each operator with one strength."""
