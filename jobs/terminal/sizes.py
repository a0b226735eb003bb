"""Byte counts as text."""

_SIZES = ("B", "KB", "MB", "GB", "TB")


def size_text(size: float) -> str:
    """Return a size with its unit, such as `1.3 MB`."""
    for unit in _SIZES[:-1]:
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} {_SIZES[-1]}"
