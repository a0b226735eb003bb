"""Job: fuse the raw components of all committed samples into quality labels, without touching an image (promise 5)."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["label", *sys.argv[1:]])
