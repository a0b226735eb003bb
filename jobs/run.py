"""Job: the whole way from nothing to a labelled dataset and a trained, evaluated model, with a report."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["run", *sys.argv[1:]])
