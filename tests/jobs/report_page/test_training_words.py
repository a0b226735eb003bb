"""What the page says of a training: method and network where they are not the usual ones, and by what it chose."""

import pytest

from synfiqa.jobs.report_page.trained.training import training_of
from synfiqa.schemas.evaluation import Epoch, TrainingBasis, TrainingResult


def summary(**section):
    digests = {"label_sha256": "l", "dataset_sha256": "d", "run_fingerprint": "f"}
    return training_of(
        TrainingResult(
            name="m",
            model_sha256="s",
            best_epoch=1,
            validation_spearman=0.9,
            validation_error=0.1,
            train_images=40,
            identities={"train": 4, "validation": 1, "test": 2},
            history=[Epoch(epoch=1, loss=0.5)],
            basis=TrainingBasis(train=section, seed=0, label="default", **digests),
        )
    ).summary


def test_a_usual_training_agrees_with_the_labels():
    assert "of 4 identities, started from random weights. Epoch 1 agreed best with the labels of valid" in summary()


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"method": "cr_fiqa", "network": "compact"}, "4 identities, by cr_fiqa, as compact, started from"),
        # It was said to agree with labels that it never saw.
        ({"method": "distil", "objective": {"teacher": "norm"}}, "agreed best with the scores of norm for validation"),
        ({"watch": {"best_by": "pauc"}}, "Epoch 1 had the lowest mean pAUC on the watched test sets, so"),
    ],
)
def test_other_trainings_say_what_they_are_and_what_chose_them(section, words):
    assert words in summary(**section)
