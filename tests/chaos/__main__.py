"""`python -m tests.chaos --scenarios 80 --seed 0`: one line a scenario, exit code 1 when one fails."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.grounds import battlefield
from tests.chaos.play import play
from tests.chaos.scenarios import make_scenarios


def main() -> int:
    """Play every scenario on one cluster and print its outcome."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--scenarios", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", help="play the scenarios that contain one of these disasters")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the scenarios to play")
    parser.add_argument("--stores", nargs="+", default=["local", "s3"], choices=["local", "s3"])
    parser.add_argument("--folder", help="keep runs and logs here (default: a folder that is removed when all pass)")
    options = parser.parse_args()
    scenarios = make_scenarios(options.scenarios, options.seed, tuple(options.stores))
    if options.only is not None:
        scenarios = [scenarios[number] for number in options.only]
    if options.kinds is not None:
        scenarios = [scenario for scenario in scenarios if set(scenario.disasters) & set(options.kinds)]
    failed, struck, started = 0, 0, time.monotonic()
    folder = Path(options.folder or tempfile.mkdtemp(prefix="synfiqa-chaos-"))
    with battlefield(folder) as field:
        for scenario in scenarios:
            try:
                outcome = play(field, scenario)
            except Exception as error:
                failed += 1
                say(f"FAIL {scenario}: {type(error).__name__}: {error}")
                field.raylets.replace_head()
            else:
                struck += len(outcome.struck)
                say(
                    f"PASS {scenario}  ({outcome.drivers} drivers, {len(outcome.struck)} struck, "
                    f"{outcome.recomputed} units again, {outcome.seconds:.0f} s)"
                )
    minutes = (time.monotonic() - started) / 60
    passed = len(scenarios) - failed
    say(
        f"{passed} of {len(scenarios)} scenarios passed, {struck} disasters struck, {minutes:.1f} min, logs in {folder}"
    )
    return 1 if failed else 0


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
