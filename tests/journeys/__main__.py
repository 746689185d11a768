"""`python -m tests.journeys FILE`: keep a stack running and say in FILE where, until Ctrl-C."""

import contextlib
import json
import signal
import sys
from pathlib import Path

from tests.journeys.stack import run_stack

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that what was started is ended
with contextlib.suppress(KeyboardInterrupt), run_stack() as running:
    told = {"home": str(running.home), "port": running.port, "facts": running.facts}
    Path(sys.argv[1]).write_text(json.dumps(told))
    print(running.url(), running.simulator, flush=True)
    signal.pause()
