"""Job: measure the memory of each stage on a unit made from the config, and pack workers onto GPUs by it."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["calibrate", *sys.argv[1:]])
