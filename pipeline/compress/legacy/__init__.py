"""The only door to tf_keras and tfmot: Keras 3 graphs mirrored bit for bit, and back.

`pruning` is not imported here: who wants only the mirror does not pay for tfmot.
"""

import tf_keras

from pipeline.compress.legacy.graph import mirror
from pipeline.compress.legacy.weights import check_parity, copy_weights

__all__ = ["check_parity", "copy_weights", "mirror", "tf_keras"]
