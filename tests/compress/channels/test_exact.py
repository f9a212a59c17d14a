"""Channels that nothing reads can go without a trace: the same outputs, from a smaller model."""

import keras
import numpy as np
import pytest
from silence import random_masks, removed, shaken, silence
from test_trace import SHAPES_OF

from models import MODELS
from pipeline.compress.channels import Size, rebuild, trace
