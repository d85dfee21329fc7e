from .config import ExportConfig as ExportConfig
from .dataset import DataSet as DataSet
from .dataset import load as load
from .exporter import export as export
from .live import LiveDataset as LiveDataset
from .verification import verify as verify
