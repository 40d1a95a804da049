"""Judges random designs: `python -m tools.fuzz_designs`."""

import sys

from tools.fuzz_designs.command import main

if __name__ == "__main__":
    sys.exit(main())
