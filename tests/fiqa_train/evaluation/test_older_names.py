"""Evaluations of earlier versions are read under the names of today."""

from synfiqa.fiqa_train.evaluation.older_names import with_present_names


def test_methods_are_renamed_wherever_they_stand():
    older = {
        "spearman": {"model": 0.9, "laplacian": 0.2},
        "headline": {"methods": {"laplacian": {"pauc": 0.9}}},
        "results": [{"methods": {"laplacian": {}}, "differences": [{"method": "model", "other": "laplacian"}]}],
    }
    assert with_present_names(older) == {
        "spearman": {"model": 0.9, "sharpness": 0.2},
        "headline": {"methods": {"sharpness": {"pauc": 0.9}}},
        "results": [{"methods": {"sharpness": {}}, "differences": [{"method": "model", "other": "sharpness"}]}],
    }
    assert with_present_names(with_present_names(older)) == with_present_names(older)
