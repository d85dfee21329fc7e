"""Settings of the whole test run."""

import os

# Two processes share two cores, each with one thread; a user's own choice comes first.
os.environ.setdefault("OMP_NUM_THREADS", "1")
