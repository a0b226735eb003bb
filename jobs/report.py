"""Job: one static page about a run, `report/index.html`: no network, no script, everything embedded."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["report", *sys.argv[1:]])
