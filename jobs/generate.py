"""Job: make the dataset. The identity half fills the ledger in candidate order; the sample half fills the shards."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["generate", *sys.argv[1:]])
