"""Quality models, losses, data loading, training, evaluation and scorers."""

if __name__ != "synfiqa.fiqa_train":
    # A second import under another name would load every module twice, with classes that are not equal.
    raise ImportError("import synfiqa.fiqa_train instead of fiqa_train: the folder is a part of the package synfiqa")
