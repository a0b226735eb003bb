"""The stages of the pipeline and the model backends they hold."""

if __name__ != "synfiqa.actors":
    # A second import under another name would load every module twice, with classes that are not equal.
    raise ImportError("import synfiqa.actors instead of actors: the folder is a part of the package synfiqa")
