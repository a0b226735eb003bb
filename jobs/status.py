"""Job: say how far a run is and who drives it, from its folder alone."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["status", *sys.argv[1:]])
