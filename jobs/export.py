"""Job: write a finished run in a layout that other tools expect; appears whole under its name or not at all."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["export", *sys.argv[1:]])
