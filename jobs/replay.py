"""Job: make the dead rows of a run again, after their cause is gone, so that the totals still add up."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["replay", *sys.argv[1:]])
