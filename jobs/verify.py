"""Job: read everything that a run has committed and name all that is not as it was committed."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["verify", *sys.argv[1:]])
