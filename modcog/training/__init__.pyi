from .config import PRESETS as PRESETS
from .config import TrainConfig as TrainConfig
from .loop import DivergedError as DivergedError
from .loop import train as train
from .record import Evaluation as Evaluation
from .run import Run as Run
from .run import load_model as load_model
