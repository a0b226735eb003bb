"""What crosses a boundary: run config, recipes, rows, commits, model cards, seeds. Imports nothing of ours."""

if __name__ != "synfiqa.schemas":
    # A second import under another name would load every module twice, with classes that are not equal.
    raise ImportError("import synfiqa.schemas instead of schemas: the folder is a part of the package synfiqa")
