"""The figures of a report: each a pure function of data that gives a matplotlib Figure."""

from pipeline.show.balance import class_balance
from pipeline.show.bars import probability_bars
from pipeline.show.canvas import save
from pipeline.show.changed_pictures import changed_pictures
from pipeline.show.class_scores import class_scores
from pipeline.show.confusion import confusion_matrix
from pipeline.show.confusion_change import confusion_change
from pipeline.show.contact import contact_sheet, sheet_classes
from pipeline.show.curves import training_curves
from pipeline.show.depth import error_by_depth
from pipeline.show.feature_maps import feature_maps
from pipeline.show.grad_cam import grad_cam
from pipeline.show.histograms import Histogram, activations, weights
from pipeline.show.label_sets import least_sure_sets, wrong_sets
from pipeline.show.network_figure import network
from pipeline.show.pictures import augmentation_preview, least_sure, wrong_pictures
from pipeline.show.reliability import reliability
from pipeline.show.scatter import size_accuracy_latency
from pipeline.show.sensitivity import sensitivity
from pipeline.show.slimming_figure import channels
from pipeline.show.spread import data_spread
from pipeline.show.strip import accuracy_by_run

__all__ = [
    "Histogram",
    "accuracy_by_run",
    "activations",
    "augmentation_preview",
    "changed_pictures",
    "channels",
    "class_balance",
    "class_scores",
    "confusion_change",
    "confusion_matrix",
    "contact_sheet",
    "data_spread",
    "error_by_depth",
    "feature_maps",
    "grad_cam",
    "least_sure",
    "least_sure_sets",
    "network",
    "probability_bars",
    "reliability",
    "save",
    "sensitivity",
    "sheet_classes",
    "size_accuracy_latency",
    "training_curves",
    "weights",
    "wrong_pictures",
    "wrong_sets",
]
