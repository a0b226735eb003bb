"""Names what a weights file holds that is no weights, and checkpoints whose keys another program has prefixed."""

from collections.abc import Iterable

HEAD_BYTES = 512
"""Bytes from the beginning of a file that `foreign_content` needs."""

_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "encoder.")
"""Prefixes of keys: DataParallel's, torch.compile's, and those of modules that hold the network."""
_WRAPPERS = ("state_dict", "model", "model_state_dict", "net", "network", "backbone")


def foreign_content(head: bytes) -> str:
    """Return what a file that begins so is and how to get the weights, such as "is a web page ..."; else an empty text.

    Knows Git LFS pointers, and HTML and XML pages that a download saved in place of the file.
    """
    start = head[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(b"version https://git-lfs.github.com/"):
        return "is a Git LFS pointer and not the weights: fetch it again with `git lfs pull`"
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return "is a web page and not the weights: fetch the file itself, by its download link"
    if start.startswith(b"<?xml"):
        return "is an XML page, such as the error of a store, and not the weights: fetch the file itself again"
    return ""


def wrapping(keys: Iterable[str]) -> str:
    """Return how the keys of a checkpoint differ from those of a network by a wrapper or one prefix; else empty."""
    names = list(keys)
    for wrapper in _WRAPPERS:
        if wrapper in names:
            return (
                f"the state dict lies under the key '{wrapper}'; save that alone, or state unwrap: [{wrapper}] on its "
                "card"
            )
    for prefix in _PREFIXES:
        if names and all(name.startswith(prefix) for name in names):
            return (
                f"all keys begin with '{prefix}', as those of a wrapped network do; save the state dict of the network "
                f"inside, or state strip: ['{prefix}'] on its card"
            )
    return ""
