"""Job: compare the trained model with baselines on identities that it never saw (EDC and pAUC, spec 6.2-6.4)."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["evaluate", *sys.argv[1:]])
