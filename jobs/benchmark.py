"""Job: make, check and use the benchmark that anyone can make again from a seed."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["benchmark", *sys.argv[1:]])
