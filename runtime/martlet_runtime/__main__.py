"""``python -m martlet_runtime``."""

import os
import sys

from martlet_runtime.cli import main

code = main()
sys.stdout.flush()
sys.stderr.flush()
# Threads of libraries must not hold the pod once the result is written.
os._exit(code)
