"""Commands of the command line: words, options, call, and a documented exit code for each outcome."""

import argparse
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synfiqa.actors.device import wait_without_spinning
from synfiqa.cluster.pipeline.ray_session import Terminated, terminate_like_interrupt
from synfiqa.cluster.telemetry.log_lines import FORMATS, emit, lines_as
from synfiqa.cluster.telemetry.progress import stop_live_lines
from synfiqa.jobs.terminal.output import say
from synfiqa.jobs.terminal.versions import version_line
from synfiqa.schemas.errors import JobFailed, UserError

type Parsers = argparse._SubParsersAction[argparse.ArgumentParser]

INTERRUPTED = 130
TERMINATED = 143
EXIT_CODES = """\
exit codes:
  0    done
  1    the work failed, or verify found damage: the message names the way out
  2    wrong usage, or a store that refuses: correct it first
  3    more rows are dead than resilience.max_dead_rate allows
  4    another driver holds the run, or has taken it over
  130  interrupted (Ctrl-C): run the same command again to go on
  143  terminated (SIGTERM, `ray job stop`): run the same command again to go on
"""


@dataclass(frozen=True)
class Option:
    """An option or a positional argument: what `argparse.ArgumentParser.add_argument` takes."""

    names: tuple[str, ...]
    settings: Mapping[str, Any]


def option(*names: str, **settings: Any) -> Option:
    """Return an option such as `option("--out", required=True, metavar="FILE")`, or without dashes a positional."""
    return Option(names, settings)


LOG = option("--log", choices=FORMATS, default=FORMATS[0], help="lines on standard error: text (default) or json")
"""Option of every command."""


@dataclass(frozen=True)
class Entry(ABC):
    """Name and help of a command or group; the help begins in lower case and ends without a full stop."""

    name: str
    help: str

    @abstractmethod
    def fill(self, parser: argparse.ArgumentParser) -> None:
        """Add options and call to the parser of this entry."""

    def add_to(self, commands: Parsers) -> argparse.ArgumentParser:
        """Add a parser for this entry to those of the command line, and return it."""
        parser = commands.add_parser(self.name, help=self.help, description=self.description())
        self.fill(parser)
        return parser

    def description(self) -> str:
        """Return what stands above the options: the help as a sentence."""
        return sentence(self.help)

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run this entry alone, as `python -m jobs.NAME` does; the process ends with its exit code."""
        run_command_line((self,), [self.name, *(sys.argv[1:] if arguments is None else arguments)])


@dataclass(frozen=True)
class Command(Entry):
    """A command: calls `run` with the parsed options; slow libraries are imported in `run`, so that --help is fast.

    `more` are sentences that follow the help above the options.
    """

    options: tuple[Option, ...]
    run: Callable[[argparse.Namespace], None]
    more: str = ""

    def description(self) -> str:
        """Return what stands above the options: the help as a sentence, and what follows it."""
        return f"{super().description()} {self.more}".rstrip()

    def fill(self, parser: argparse.ArgumentParser) -> None:
        """Add the options, and `run` as `job` of the parsed options."""
        for added in (*self.options, LOG):
            parser.add_argument(*added.names, **added.settings)
        parser.set_defaults(job=self.run)


@dataclass(frozen=True)
class CommandGroup(Entry):
    """A command of several actions, such as `models check`; the parsed options hold the chosen one as `action`."""

    actions: tuple[Command, ...]

    def fill(self, parser: argparse.ArgumentParser) -> None:
        """Add a parser for each action."""
        actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
        for action in self.actions:
            action.add_to(actions)


def parser_of(commands: Sequence[Entry]) -> argparse.ArgumentParser:
    """Return the parser of a command line with these commands."""
    parser = argparse.ArgumentParser(
        prog="synfiqa",
        description="Synthetic face-image-quality datasets, and models trained on them, on Ray.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parsers = parser.add_subparsers(title="jobs", metavar="JOB", required=True)
    for added in (parser, *(command.add_to(parsers) for command in commands)):
        added.add_argument("--version", action=_PrintVersions, help="print versions and exit")
    return parser


def run_command_line(commands: Sequence[Entry], arguments: Sequence[str] | None = None) -> None:
    """Parse the arguments, run the command that they name and end the process with its exit code."""
    options = parser_of(commands).parse_args(arguments)
    with lines_as(options.log):
        code = run_command(lambda: options.job(options))
    sys.exit(code)


def run_command(call: Callable[[], None]) -> int:
    """Call a job and turn its failure into a sentence and an exit code; unexpected errors keep their traceback."""
    wait_without_spinning()
    try:
        with terminate_like_interrupt():
            call()
    except (UserError, JobFailed) as error:
        stop_live_lines()
        emit(str(error), "error")
        return error.exit_code
    except KeyboardInterrupt as signal:
        stop_live_lines()
        text = "interrupted: run the same command again to go on from the last commit"
        emit(text, "warning", text=f"\nsynfiqa: {text}")
        return TERMINATED if isinstance(signal, Terminated) else INTERRUPTED
    return 0


def sentence(text: str) -> str:
    """Return a help text as a sentence: only its first letter is raised, so that EDC and GPUs keep their capitals."""
    return text[:1].upper() + text[1:] + "."


class _PrintVersions(argparse.Action):
    """Print the versions; they are looked up only when the option is given."""

    def __init__(self, option_strings: Sequence[str], dest: str, **settings: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, **settings)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        say(version_line())
        parser.exit()
