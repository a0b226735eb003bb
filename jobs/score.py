"""Job: score photographs with a trained quality model and write one CSV."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["score", *sys.argv[1:]])
