"""Job: fit a quality model to the labels of a run with Ray Train."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["train", *sys.argv[1:]])
