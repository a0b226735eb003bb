"""Storage, commits, pipeline, telemetry and upkeep of a run; independent of faces and models."""

if __name__ != "synfiqa.cluster":
    # A second import under another name would load every module twice, with classes that are not equal.
    raise ImportError("import synfiqa.cluster instead of cluster: the folder is a part of the package synfiqa")
