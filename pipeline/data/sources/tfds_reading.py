"""A prepared set of tensorflow-datasets: which features, which splits, and its pictures in turn."""

import io
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any

from pipeline.data.sources import Found, Remark
from pipeline.errors import DataError

SPLITS = {
    "train": "train",
    "test": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
}


def image_and_label(info: Any) -> tuple[str, str]:
    """Name the features that hold the picture and its class.

    They are the supervised keys where those are an Image and a ClassLabel, else the only ones.

    Raises:
        DataError: there is no such pair, or its pixels are floats.
    """
    from tensorflow_datasets import features as kinds

    known = isinstance(info.features, kinds.FeaturesDict)
    features = dict(sorted(info.features.items())) if known else {}
    images = [
        name
        for name, kind in features.items()
        if isinstance(kind, kinds.Image) and not isinstance(kind, kinds.LabeledImage)
    ]
    labels = [name for name, kind in features.items() if isinstance(kind, kinds.ClassLabel)]
    match info.supervised_keys:
        case (image, label) if image in images and label in labels:
            pass
        case _ if len(images) == len(labels) == 1:
            (image,), (label,) = images, labels
        case _:
            held = ", ".join(f"{name} ({type(kind).__name__})" for name, kind in features.items())
            raise DataError(
                f"{info.full_name}: a picture and its class are one Image and one ClassLabel; "
                f"this set has {held or type(info.features).__name__}{_several(features)}"
            )
    if features[image].np_dtype.kind == "f":  # stored as a PNG of the floats' bytes
        raise DataError(f"{info.full_name}: the pixels of {image} are floats; none are decoded")
    return image, label


def _several(features: Mapping[str, Any]) -> str:
    """What to do with a set of several labels a picture: the tail of an error line, or nothing."""
    from tensorflow_datasets import features as kinds

    several = any(
        isinstance(getattr(kind, "feature", None), kinds.ClassLabel) for kind in features.values()
    )
    return "; several labels a picture are read from a table or arrays" if several else ""


def splits_to_read(info: Any) -> tuple[dict[str, str | None], list[Remark]]:
    """Map the splits to be read to ours, None where it is for us to split; note the others."""
    given = list(info.splits)
    read: dict[str, str | None] = {name: SPLITS[name] for name in given if name in SPLITS}
    if len(given) == 1 or len(read) == 1:
        read = dict.fromkeys(read or given)
    if not read:
        raise DataError(
            f"{info.full_name}: its splits are {', '.join(given) or 'none'}; expected "
            f"{', '.join(SPLITS)}, or a single one"
        )
    return read, [
        Remark(name, f"a split that is not read, of {info.splits[name].num_examples} pictures")
        for name in given
        if name not in read
    ]


def pictures(
    builder: Any,
    keys: tuple[str, str],
    splits: Mapping[str, str | None],
    passed_over: list[Remark],
) -> Iterator[Found | Remark]:
    """Read example by example; `train[17]` is the one tensorflow-datasets calls `train[17:18]`.

    One without a label, as in the test splits of competitions, is passed over.

    Raises:
        DataError: a file of the set is missing, cut or damaged.
    """
    import tensorflow as tf

    image, label = keys
    classes = len(builder.info.features[label].names)
    for split, ours in splits.items():
        number = 0
        try:
            for example in _examples(builder, split, image):
                where, value = f"{split}[{number}]", int(example[label])
                if 0 <= value < classes:
                    yield Found(where, value, example[image], ours)
                else:
                    passed_over.append(Remark(where, f"no label ({value})"))
                number += 1
        except tf.errors.OpError as error:
            raise DataError(
                f"{builder.info.full_name}: {split}[{number}] cannot be read: {one_line(error)}; "
                f"prepare the set in {builder.data_dir} anew"
            ) from error


def _examples(builder: Any, split: str, image: str) -> Iterator[dict[str, Any]]:
    """Open a split in its own order, pictures encoded; nothing is kept or read far ahead."""
    with quiet():
        import tensorflow_datasets as tfds

        config = tfds.ReadConfig(
            try_autocache=False,
            skip_prefetch=True,
            interleave_cycle_length=1,
            num_parallel_calls_for_decode=1,
            num_parallel_calls_for_interleave_files=1,
        )
        decoders = {image: tfds.decode.SkipDecoding()}
        try:
            data = builder.as_dataset(split=split, decoders=decoders, read_config=config)
        except Exception as error:  # a file format that cannot be streamed, a version blocked
            raise DataError(
                f"{builder.info.full_name}: {split} cannot be opened: {one_line(error)}"
            ) from error
        return iter(tfds.as_numpy(data))


def one_line(error: Exception) -> str:
    """What an error says, in one line, without the marks its library puts around it."""
    text = " ".join(str(getattr(error, "message", error)).split())
    text = re.sub(r"\{\{.*?\}\} |\[Op:.*|^Failed to construct dataset .*?\}\": ", "", text).strip()
    return text if len(text) <= 300 else f"{text[:299]}…"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what tensorflow-datasets prints, logs and warns of off the screen; errors are raised."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
