"""Data types shared by all packages: run config, recipes, rows, commits, model cards, seeds, errors."""

# Imports no other package of synfiqa.

if __name__ != "synfiqa.schemas":
    # A second import under another name would load every module twice, with classes that are not equal.
    raise ImportError("import synfiqa.schemas instead of schemas: the folder is a part of the package synfiqa")
