"""Job: make a template bank, from the run's distributions or from what an encoder measures on rejected candidates."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["templates", *sys.argv[1:]])
