"""Command `models`: list the model store, check it, fetch weights, show a card."""

import argparse

from synfiqa.jobs.command import Command, CommandGroup, option

CATALOGUE_OPTION = (
    option("--catalogue", dest="catalogue_option", metavar="CATALOGUE", help="models.yaml with own cards"),
    option("--cache", default="", metavar="DIR", help="folder for fetched weights (default: SYNFIQA_CACHE, ~/.cache)"),
)
CATALOGUE = (
    option("catalogue", nargs="?", metavar="CATALOGUE", help="models.yaml (default: bundled models)"),
    *CATALOGUE_OPTION,
)
CHECK = (
    *CATALOGUE,
    option("--name", action="append", default=[], metavar="NAME", help="check only this model; repeatable"),
    option("--record", action="store_true", help="print the canary line that each card may carry"),
    option("--fetch", action="store_true", help="fetch what is not on this machine"),
)
FETCH = (
    option("names", nargs="*", metavar="NAME", help="models to fetch (default: all of the catalogue)"),
    *CATALOGUE_OPTION,
)
CARD = (option("name", metavar="NAME", help="name of the model"), *CATALOGUE_OPTION)
DIGEST = (option("path", metavar="PATH", help="weights file or folder"),)


def models(options: argparse.Namespace) -> None:
    """Carry out the action that the command line names."""
    from synfiqa.jobs.terminal import model_tables as tables

    match options.action:
        case "list":
            tables.run_list(tables.catalogue_of(options))
        case "check":
            chosen = tables.chosen(tables.catalogue_of(options), options.name)
            tables.run_check(chosen, record=options.record, fetch=options.fetch)
        case "fetch":
            tables.run_fetch(tables.chosen(tables.catalogue_of(options), options.names))
        case "card":
            tables.run_card(tables.catalogue_of(options).model(options.name))
        case "digest":
            tables.run_digest(options.path)


ACTIONS = (
    Command("list", "print one line a model", CATALOGUE, models),
    Command("check", "compare each card with its weights; exit code 1 where they disagree", CHECK, models),
    Command("fetch", "bring weights to this machine, verified", FETCH, models),
    Command("card", "print the card of a model", CARD, models),
    Command("digest", "print the SHA-256 that a card states for a file or folder", DIGEST, models),
)
COMMAND = CommandGroup("models", "list, check and fetch models: cards, weights, licences", ACTIONS)


if __name__ == "__main__":
    COMMAND.main()
