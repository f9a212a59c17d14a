"""What members answer to pictures, and the pictures that the next of them is to see."""

from itertools import count, takewhile
from pathlib import Path

import keras
import numpy as np

from pipeline.data.batches import Numbers, plain_batches
from pipeline.data.sources import Images, Labels
from pipeline.fit.ensembles.draws import Boosting, boosted, bootstrap, samme
from pipeline.fit.ensembles.votes import Answers
from pipeline.fit.files import load_model
from pipeline.settings import Inputs, Train

BATCH = 256


def members_of(inputs: Inputs) -> list[keras.Model]:
    """Load the members among a stage's inputs, in the order of their numbers."""
    roles = takewhile(lambda role: role in inputs, (f"member/{n}" for n in count(1)))
    return [load_model(Path(inputs[role]) / "model.keras") for role in roles]


def answers(members: list[keras.Model], split: tuple[Images, Labels]) -> Answers:
    """What each member answers to each picture of a split: `(M, N, K)`."""
    return np.stack([member.predict(plain_batches(split, BATCH), verbose=0) for member in members])


def boosting(
    members: list[keras.Model], split: tuple[Images, Labels], shrinkage: float
) -> Boosting:
    """Weigh the training pictures and the members by where these are wrong about those."""
    found = answers(members, split)
    return samme(found.argmax(-1) != split[1], found.shape[-1], shrinkage)


def drawn_for(settings: Train, inputs: Inputs, split: tuple[Images, Labels]) -> Numbers | None:
    """Numbers of the training pictures an epoch is made of, where it is not each of them once."""
    if settings.draw == "all":
        return None
    if settings.draw == "bootstrap":
        return bootstrap(len(split[1]), settings.seed)
    before = boosting(members_of(inputs), split, settings.shrinkage)
    return boosted(before.weights, settings.seed)
