"""`python -m tests.wheel`: the wheel, installed with plain pip into a fresh environment, in a hostile folder."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.wheel.trial import TrialFailed, trial


def main() -> None:
    """Run the trial and print what the installed program printed; exit code 1 with the step that failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.wheel", description=__doc__)
    parser.add_argument("--installer", choices=("pip", "uv"), default="pip", help="uv is faster (default: pip)")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="synfiqa-wheel-") as folder:
        try:
            printed = trial(Path(folder), options.installer)
        except TrialFailed as error:
            sys.exit(f"tests.wheel: {error}")
    seconds = time.monotonic() - began
    sys.stdout.write(f"{printed}\nthe wheel installs with {options.installer} and works ({seconds:.0f} s)\n")


if __name__ == "__main__":
    main()
