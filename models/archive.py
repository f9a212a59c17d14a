"""A `.keras` file from anywhere: what is inside is read as text before Keras may load it."""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from models.outside import HDF5, beginning, place
from pipeline.errors import ConfigError, IntegrityError

CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"
LARGEST = {CONFIG: 32 << 20, METADATA: 1 << 20, WEIGHTS: 4 << 30}  # bytes unpacked
PACKED_AT_MOST = 200  # times smaller than its content; Keras itself packs nothing
DEEPEST = 200  # braces in braces

# By name, since new ones may come: none takes code, a path, an address or a vocabulary.
LAYERS = frozenset(
    (
        *("Activation", "ActivityRegularization", "Add", "AlphaDropout", "Average"),
        *("AveragePooling2D", "BatchNormalization", "CenterCrop", "Concatenate", "Conv2D"),
        *("Conv2DTranspose", "Cropping2D", "Dense", "DepthwiseConv2D", "Dot", "Dropout", "ELU"),
        *("Flatten", "GaussianDropout", "GaussianNoise", "GlobalAveragePooling2D"),
        *("GlobalMaxPooling2D", "GroupNormalization", "Identity", "InputLayer"),
        *("LayerNormalization", "LeakyReLU", "MaxPooling2D", "Maximum", "Minimum", "Multiply"),
        *("Normalization", "PReLU", "Permute", "ReLU", "RepeatVector", "Rescaling", "Reshape"),
        *("Resizing", "SeparableConv2D", "Softmax", "SpatialDropout2D", "Subtract"),
        *("UnitNormalization", "UpSampling2D", "ZeroPadding2D"),
    )
)
PARTS = frozenset({"keras.initializers", "keras.regularizers", "keras.constraints"})
OPERATIONS = frozenset({"keras.src.ops.numpy", "keras.src.ops.nn"})
MODELS = frozenset({"Functional", "Sequential", "Model"})
HOMES = frozenset(
    {"keras", "keras.models", "keras.src.models.functional", "keras.src.models.sequential"}
)
FUNCTION = re.compile(r"(^|_)(activation|initializer|regularizer|constraint|function)$")
VALUES = frozenset({"__keras_tensor__", "__tensor__", "__numpy__", "__ellipsis__", "__slice__"})


def check(path: str, head: str = "keep") -> None:
    """Refuse the file that `file` is to load before Keras is imported; any `head` goes with it.

    Raises:
        ConfigError: there is no such file, or no path is given.
        IntegrityError: it is no `.keras` file, or one with more than built-in layers.
    """
    if not path:
        raise ConfigError("build.path: name the .keras file to start from: build.path=my.keras")
    first = beginning("path", path)
    if first == HDF5 or not path.endswith(".keras"):
        raise IntegrityError(
            f"build.path: {path} is no .keras file; an .h5 model or any other form can hold code: "
            'load it where you trust it and save it with model.save("NAME.keras")'
        )
    inspect(place(path))


def inspect(path: Path) -> None:
    """Refuse a `.keras` file unless it is a sane zip of built-in layers and their weights.

    Raises:
        IntegrityError: saying what else is in there.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            config = json.loads(archive.read(CONFIG))
            archive.read(METADATA)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError) as error:
        # RecursionError is a RuntimeError, and so is what zipfile says of a password.
        raise IntegrityError(f"{path}: no whole .keras file: {error}") from error
    except NotImplementedError as error:
        raise IntegrityError(f"{path}: packed in a way Keras does not: {error}") from error
    if not isinstance(config, dict):
        raise IntegrityError(f"{path}: {CONFIG} describes no model")
    # What it was compiled with is not loaded: a loss of one's own is no harm.
    described = {key: value for key, value in config.items() if key != "compile_config"}
    if str(config.get("class_name")) not in MODELS:
        name = str(config.get("class_name"))[:60]
        raise IntegrityError(
            f"{path}: its model is of the class {name!r}; only functional and Sequential models "
            "of built-in layers are taken"
        )
    _check_values(path, described, 0)


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    strange = [name for name in names if name not in LARGEST]
    if strange or sorted(names) != sorted(LARGEST):
        what = f"{strange[0][:60]!r} inside" if strange else f"not just {', '.join(LARGEST)}"
        raise IntegrityError(f"{path}: no .keras file as Keras writes it: {what}")
    for member in archive.infolist():
        packed = member.compress_size * PACKED_AT_MOST + (1 << 20)
        if member.file_size > min(LARGEST[member.filename], packed):
            raise IntegrityError(
                f"{path}: {member.filename} unpacks to {member.file_size} bytes from "
                f"{member.compress_size}: more than any model"
            )


def _check_values(path: Path, value: Any, depth: int) -> None:
    """Look at every name of a class and every text of a configuration, however deep."""
    if depth > DEEPEST:
        raise IntegrityError(f"{path}: {CONFIG} is nested without end")
    if isinstance(value, Mapping):
        if "class_name" in value:
            _check_class(path, value)
        for item in _below(value):
            _check_values(path, item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_values(path, item, depth + 1)
    elif isinstance(value, str) and "://" in value:
        raise IntegrityError(f"{path}: an address inside, {value[:60]!r}: nothing is fetched")


def _below(value: Mapping[str, Any]) -> Iterator[Any]:
    for key, item in value.items():
        code = isinstance(item, Mapping) and "class_name" not in item and FUNCTION.search(str(key))
        if code:  # where a lambda stands as mere bytes, without a name
            yield {"class_name": "__lambda__"}
        elif key == "compile_config" and item:
            yield {"class_name": key, "module": "a model inside"}  # that one Keras would compile
        else:
            yield item


def _check_class(path: Path, said: Mapping[str, Any]) -> None:
    name, module, registered = (
        said.get(key) for key in ("class_name", "module", "registered_name")
    )
    texts = all(isinstance(text, str | None) for text in (name, module, registered))
    known = texts and (
        (module == "keras.layers" and name in LAYERS)
        or (module in HOMES and name in MODELS)
        or (module in PARTS | OPERATIONS and re.fullmatch(r"[A-Z]\w*", str(name)) is not None)
        or (module == "keras" and name == "DTypePolicy")
        or (name in VALUES and module in {None, "builtins"})
    )
    if not known or registered not in (None, name):
        shown = f"{module}.{name}" if registered in (None, name) else registered
        raise IntegrityError(
            f"{path}: {str(shown)[:80]!r} inside; only Keras' built-in layers for pictures are "
            "taken, no Lambda and none of one's own: rebuild the model with those and save it again"
        )
