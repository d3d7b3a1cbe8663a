#!/usr/bin/env python3
"""daemon - the golden transcripts again, against posternd with its processes."""

import os
import sys

REPLAY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "replay.py")
os.execv(sys.executable, [sys.executable, REPLAY, "--daemon"] + sys.argv[1:])
