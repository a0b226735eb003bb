"""Job: make every bundled network again, from nothing but this code."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["bootstrap", *sys.argv[1:]])
