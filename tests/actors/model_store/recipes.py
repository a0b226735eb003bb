"""The fingerprint document of a config, as a generate job makes it."""

from synfiqa.actors.model_store.resolved_run import resolve, verify_weights
from synfiqa.cluster.run.fingerprint import recipe_document, recipe_fingerprint


def document(config):
    run = resolve(config)
    return recipe_document(config, verify_weights(run).digests, cards=run.cards)


def fingerprint(config):
    return recipe_fingerprint(document(config))
