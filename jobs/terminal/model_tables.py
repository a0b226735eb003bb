"""Text of the `models` command: the list of models, what a check finds, a card."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from synfiqa.actors.model_store.architectures.extras import missing_extra, remedy
from synfiqa.actors.model_store.cache import WrongDigest, locate
from synfiqa.actors.model_store.catalogue import Catalogue, Model
from synfiqa.actors.model_store.checks.canary_inputs import inputs_digest
from synfiqa.actors.model_store.checks.check_model import Finding, check_model
from synfiqa.actors.model_store.digest import weights_digest
from synfiqa.cluster.storage.storage import redact_all
from synfiqa.jobs.terminal.output import say
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.model_card import BUILT_IN, RANDOM
from synfiqa.schemas.plugins import PLUGIN_GROUPS, installed


def catalogue_of(options: argparse.Namespace) -> Catalogue:
    """Return the catalogue that CATALOGUE or --catalogue names, else the bundled models."""
    given = getattr(options, "catalogue", None)
    if given and options.catalogue_option:
        raise UserError(f"two catalogues are given, {given} and {options.catalogue_option}: give one")
    return Catalogue.load(given or options.catalogue_option or "", options.cache)


def chosen(catalogue: Catalogue, names: Sequence[str]) -> list[Model]:
    """Return the named models, without names those of the catalogue file."""
    return [catalogue.model(name) for name in names] or catalogue.own()


def run_list(catalogue: Catalogue) -> None:
    """Print one line a model: name, role, architecture, whether it is on this machine, licence; then plug-ins."""
    table = Table(box=None, pad_edge=False)
    for column in ("name", "role", "architecture", "here", "licence", "commercial use"):
        table.add_column(column, overflow="fold")
    for model in catalogue:
        card = model.card
        commercial = "yes" if card.commercial_use else "no"
        table.add_row(card.name, card.role, card.architecture, escape(_presence(model)), card.licence, commercial)
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    for group in PLUGIN_GROUPS.values():
        for plugin in installed(group):
            say(f"{plugin.name}: plug-in of {plugin.distribution} {plugin.version}, {group}")


def run_check(models: Sequence[Model], *, record: bool = False, fetch: bool = False) -> None:
    """Check each model and print what was found; JobFailed when a card and its weights disagree."""
    findings = []
    for model in models:
        finding = check_model(model, fetch=fetch)
        findings.append(finding)
        say(f"{'ok  ' if finding.ok else 'FAIL'} {finding.name}{_remarks(finding)}")
        if record and finding.answer:
            answer = ", ".join(f"{value:g}" for value in finding.answer)
            say(f"     canary: [{answer}]  # inputs {inputs_digest(model)}")
    failed = [finding.name for finding in findings if not finding.ok]
    if failed:
        raise JobFailed(f"{len(failed)} of {len(findings)} models failed their check: {', '.join(failed)}")
    say(f"{len(findings)} models agree with their cards")


def run_fetch(models: Sequence[Model]) -> None:
    """Bring the weights of each model to this machine, verified; what is here already is only verified."""
    for model in models:
        if extra := missing_extra(model.card):
            say(f"{model.name}: needs synfiqa[{extra}]: {remedy(extra)}")
            continue
        path = locate(model, fetch=True)
        say(f"{model.name}: {path if path.name else 'code without weights'}")


def run_card(model: Model) -> None:
    """Print the card of a model as YAML, and where its weights come from."""
    document = model.card.model_dump(mode="json", exclude_defaults=True)
    document["source"] = model.origin
    say(yaml.safe_dump(redact_all(document), sort_keys=False, allow_unicode=True, width=110).rstrip())


def run_digest(path: str) -> None:
    """Print the SHA-256 that a card states for a local weights file or folder."""
    try:
        say(weights_digest(Path(path)))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): name a weights file or folder") from error


def _remarks(finding: Finding) -> str:
    remarks = "; ".join([*finding.problems, *finding.notes])
    return f": {remarks}" if remarks else ""


def _presence(model: Model) -> str:
    if extra := missing_extra(model.card):
        return f"needs synfiqa[{extra}]"
    if model.origin == BUILT_IN:
        return "code"
    if model.origin.startswith(RANDOM):
        return "random"
    try:
        locate(model, fetch=False)
    except WrongDigest:
        return "wrong digest"
    except UserError:
        return "no"
    return "yes"
