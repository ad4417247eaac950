"""Helpers that several test files use, and the environment of all tests."""

import os
from pathlib import Path

# Processes that tests start import `helpers` too.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")])
)
# Small networks are many times faster on one thread, above all next to other test processes.
# OpenMP reads this when torch is imported, which conftest.py does after importing this package.
os.environ.setdefault("OMP_NUM_THREADS", "1")
