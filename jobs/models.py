"""Job: look into the model store: list it, check it, fetch it, show a card."""

import sys

if __name__ == "__main__":
    from synfiqa.jobs.cli import main

    main(["models", *sys.argv[1:]])
