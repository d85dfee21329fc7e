from . import benchmark as benchmark
from . import claims as claims
from . import sweeps as sweeps
