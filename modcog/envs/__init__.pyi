from . import sb3 as sb3
