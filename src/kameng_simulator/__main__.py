"""`python -m kameng_simulator`."""

import sys

from kameng_simulator.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
