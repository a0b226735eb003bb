"""Job: remove what crashed and beaten attempts left in a run folder, and never anything committed."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["gc", *sys.argv[1:]])
