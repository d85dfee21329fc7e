"""``python -m modcog``: the command line."""

import sys

from modcog.cli import main

if __name__ == "__main__":
    sys.exit(main())
