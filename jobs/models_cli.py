"""The words of `synfiqa models ...` on the command line."""

import argparse
from typing import TYPE_CHECKING

from synfiqa.schemas.errors import UserError

if TYPE_CHECKING:
    # It brings torch and its like, for which --help need not wait.
    from synfiqa.actors.model_store.catalogue import Catalogue


def add_models_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `models list|check|fetch|card|digest` to the command line."""
    text = "look into the model store: cards, weights, licences"
    models = commands.add_parser("models", help=text, description=text.capitalize() + ".")
    actions = models.add_subparsers(title="actions", metavar="ACTION", required=True)
    _with_catalogue(_action(actions, "list", _list, "one line a model"))
    check = _action(actions, "check", _check, "does each card tell the truth about its weights? exit 1 if not")
    _with_catalogue(check)
    check.add_argument("--name", action="append", default=[], help="check only this model; repeatable")
    check.add_argument("--record", action="store_true", help="print the canary line that each card may carry")
    check.add_argument("--fetch", action="store_true", help="fetch what is not on this machine")
    fetch = _action(actions, "fetch", _fetch, "bring weights to this machine, verified")
    fetch.add_argument("names", nargs="*", metavar="NAME", help="models to fetch (default: all of the catalogue)")
    _with_catalogue(fetch, option_only=True)
    card = _action(actions, "card", _card, "print the card of a model")
    card.add_argument("name", metavar="NAME")
    _with_catalogue(card, option_only=True)
    digest = _action(actions, "digest", _digest, "print the SHA-256 that a card states for a file or folder")
    digest.add_argument("path", metavar="PATH")


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, job: object, text: str
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=text, description=text.capitalize() + ".")
    action.set_defaults(job=job)
    return action


def _with_catalogue(action: argparse.ArgumentParser, *, option_only: bool = False) -> None:
    if not option_only:
        action.add_argument("catalogue", nargs="?", metavar="CATALOGUE", help="models.yaml (default: bundled models)")
    action.add_argument("--catalogue", dest="catalogue_option", metavar="CATALOGUE", help="models.yaml with own cards")
    action.add_argument("--cache", default="", help="folder for fetched weights (default: SYNFIQA_CACHE, ~/.cache)")


def _catalogue(options: argparse.Namespace) -> "Catalogue":
    from synfiqa.actors.model_store.catalogue import Catalogue

    given = getattr(options, "catalogue", None)
    if given and options.catalogue_option:
        raise UserError(f"two catalogues are given, {given} and {options.catalogue_option}: give one")
    return Catalogue.load(given or options.catalogue_option or "", options.cache)


def _list(options: argparse.Namespace) -> None:
    from synfiqa.jobs.terminal.model_tables import run_list

    run_list(_catalogue(options))


def _check(options: argparse.Namespace) -> None:
    from synfiqa.jobs.terminal.model_tables import run_check

    catalogue = _catalogue(options)
    chosen = [catalogue.model(name) for name in options.name] or catalogue.own()
    run_check(chosen, record=options.record, fetch=options.fetch)


def _fetch(options: argparse.Namespace) -> None:
    from synfiqa.jobs.terminal.model_tables import run_fetch

    catalogue = _catalogue(options)
    run_fetch([catalogue.model(name) for name in options.names] or catalogue.own())


def _card(options: argparse.Namespace) -> None:
    from synfiqa.jobs.terminal.model_tables import run_card

    run_card(_catalogue(options).model(options.name))


def _digest(options: argparse.Namespace) -> None:
    from synfiqa.jobs.terminal.model_tables import run_digest

    run_digest(options.path)
