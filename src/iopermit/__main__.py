"""The command line as `python -m iopermit`, where its script is not on the PATH."""

import sys

from iopermit.cli import main

if __name__ == "__main__":
    sys.exit(main())
