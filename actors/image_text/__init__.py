"""Image-text models, captions and word pieces."""
