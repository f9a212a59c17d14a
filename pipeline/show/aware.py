"""Networks that were trained as their int8 files compute, and how alike both answer."""

from pipeline.show.records import Count, Record, Share

EXPLAINED = (
    "While such a network learns, it rounds its weights and every tensor that the file will "
    "hold, as the file does. How alike both answer was looked at on validation pictures; near "
    "ties, where the two likeliest classes are level but for a step of the output, are left out. "
    "The difference is the root mean square of those of the probabilities, over their standard "
    "deviation."
)


class Aware(Record):
    """A quantization-aware training, on validation pictures.

    `rms` is the root mean square of the differences between the probabilities of the model and of
    its file, over the standard deviation of the model's; `ties` are pictures whose two likeliest
    classes are as good as level, left out of `agreement`, the share of equal answers.
    """

    name: str
    epochs: Count
    best_epoch: Count
    val_accuracy: Share
    pictures: Count
    rms: float
    ties: Count
    agreement: Share
