"""The figures of a report: each a pure function of data that gives a matplotlib Figure."""

from pipeline.show.bars import probability_bars
from pipeline.show.canvas import save
from pipeline.show.confusion import confusion_matrix
from pipeline.show.curves import training_curves
from pipeline.show.pictures import augmentation_preview, least_sure, wrong_pictures
from pipeline.show.scatter import size_accuracy_latency

__all__ = [
    "augmentation_preview",
    "confusion_matrix",
    "least_sure",
    "probability_bars",
    "save",
    "size_accuracy_latency",
    "training_curves",
    "wrong_pictures",
]
