"""What a Keras network is made of: layer by layer, and in sum, before anything is trained."""

from pipeline.compress.anatomy.record import Anatomy, Layer
from pipeline.compress.anatomy.sketch import sketched
from pipeline.compress.anatomy.walk import anatomy

__all__ = ["Anatomy", "Layer", "anatomy", "sketched"]
