"""The digits as sets of tensorflow-datasets on disk, written by its own tools, read by ours."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data import DATASETS
from pipeline.data.sources import Found, Remark
from pipeline.data.sources.tfds import Tfds
from pipeline.errors import ConfigError, DataError, ResourceError
from pipeline.settings import Ingest
from pipeline.stages import ingest
from tests.front_door import ROOT

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.fixture(scope="session")
def kinds():
    tfds = pytest.importorskip("tensorflow_datasets")
    tfds.disable_progress_bar()
    return tfds.features


@pytest.fixture(scope="session")
def encoded():
    """All digits as PNG files in memory, each with its label."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    return [(_png(pixels), int(label)) for pixels, label in zip(images, bunch.target, strict=True)]


def _png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def store(folder, name, features, splits, version="1.0.0", shards=None, **more):
    """Write a set; `splits` maps names to lists of examples, kept in their order."""
    import tensorflow_datasets as tfds

    config = tfds.download.DownloadConfig(num_shards=shards)
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        features=tfds.features.FeaturesDict(features),
        split_datasets={split: list(enumerate(rows)) for split, rows in splits.items()},
        data_dir=folder,
        download_config=config,
        disable_shuffling=True,
        **more,
    )
    return Path(builder.data_dir)


def examples(encoded, **more):
    return [{"image": image, "label": label} | more for image, label in encoded]


@pytest.fixture(scope="session")
def prepared(kinds, encoded, tmp_path_factory):
    """Sets that no test changes: `small` has every kind of split, in three shards each."""
    folder = tmp_path_factory.mktemp("tfds")
    features = {
        "image": kinds.Image(shape=(8, 8, 1), encoding_format="png"),
        "label": kinds.ClassLabel(names=WORDS),
        "id": kinds.Text(),
    }
    splits = {
        "train": examples(encoded[:90], id="a"),
        "valid": examples(encoded[90:110], id="b"),
        "test": examples(encoded[110:140], id="c"),
        "extra": examples(encoded[140:150], id="d"),
    }
    store(folder, "small", features, splits, shards=3)
    return folder


@pytest.fixture
def copied(prepared, tmp_path):
    return Path(shutil.copytree(prepared, tmp_path / "sets"))


def source(name, folder, **settings):
    return Tfds(Ingest(dataset=f"tfds:{name}", data_dir=folder, **settings))


def test_pictures_come_as_they_were_encoded_with_their_labels_and_splits(prepared, encoded):
    catalog = DATASETS["tfds"](Ingest(dataset="tfds:small", data_dir=prepared)).catalog()
    found = list(catalog.pictures)
    assert [picture.content for picture in found] == [image for image, _ in encoded[:140]]
    assert [picture.label for picture in found] == [label for _, label in encoded[:140]]
    splits = ["train"] * 90 + ["validation"] * 20 + ["test"] * 30
    assert [picture.split for picture in found] == splits
    assert catalog.classes == WORDS
    assert catalog.count == len(found) == 140
    assert catalog.name == "small"
    assert type(found[0].content) is bytes
    assert type(found[0].label) is int


def test_a_picture_is_found_again_by_the_name_it_has_in_tensorflow_datasets(prepared, encoded):
    import tensorflow_datasets as tfds

    found = {picture.where: picture for picture in source("small", prepared).catalog().pictures}
    builder = tfds.builder("small:1.0.0", data_dir=prepared)
    for split, number in (("train", 0), ("train", 59), ("valid", 19), ("test", 17)):
        theirs = builder.as_dataset(split=f"{split}[{number}:{number + 1}]")
        (example,) = tfds.as_numpy(theirs)
        ours = found[f"{split}[{number}]"]
        pixels = np.asarray(Image.open(io.BytesIO(ours.content)))
        assert np.array_equal(pixels, example["image"][..., 0])
        assert ours.label == example["label"]


def test_splits_that_are_none_of_ours_are_passed_over_and_named(prepared):
    catalog = source("small", prepared).catalog()
    assert catalog.passed_over == [Remark("extra", "a split that is not read, of 10 pictures")]
    assert not any(picture.where.startswith("extra") for picture in catalog.pictures)


@pytest.mark.parametrize("splits", [("train",), ("everything",), ("train", "unlabeled")])
def test_a_single_split_is_left_for_us_to_split(kinds, encoded, tmp_path, splits):
    features = {"image": kinds.Image(), "label": kinds.ClassLabel(names=WORDS)}
    store(tmp_path, "whole", features, {name: examples(encoded[:12]) for name in splits})
    catalog = source("whole", tmp_path).catalog()
    assert [picture.split for picture in catalog.pictures] == [None] * 12
    assert [remark.where for remark in catalog.passed_over] == list(splits[1:])


def test_splits_of_which_none_is_known_are_refused(kinds, encoded, tmp_path):
    features = {"image": kinds.Image(), "label": kinds.ClassLabel(names=WORDS)}
    store(tmp_path, "odd", features, {name: examples(encoded[:2]) for name in ("dev", "eval")})
    with pytest.raises(DataError, match=r"odd/1\.0\.0: its splits are dev, eval; expected train"):
        source("odd", tmp_path).catalog()


def test_an_unlabelled_picture_is_passed_over_with_the_reason(kinds, encoded, tmp_path):
    features = {"image": kinds.Image(), "label": kinds.ClassLabel(num_classes=10)}
    hidden = [row | {"label": -1} for row in examples(encoded[5:8])]
    store(tmp_path, "hidden", features, {"train": examples(encoded[:5]), "test": hidden})
    catalog = source("hidden", tmp_path).catalog()
    assert catalog.classes == [str(number) for number in range(10)]
    assert len(list(catalog.pictures)) == 5
    assert catalog.passed_over == [
        Remark(f"test[{number}]", "no label (-1)") for number in range(3)
    ]


def test_the_supervised_pair_is_taken_where_there_are_more_features(kinds, encoded, tmp_path):
    import tensorflow_datasets as tfds

    class Two(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = kinds.FeaturesDict(
                {
                    "thumb": kinds.Image(),
                    "photo": kinds.Image(shape=(8, 8, 1)),
                    "coarse": kinds.ClassLabel(num_classes=2),
                    "fine": kinds.ClassLabel(names=WORDS),
                }
            )
            return tfds.core.DatasetInfo(
                builder=self, features=features, supervised_keys=("photo", "fine")
            )

        def _split_generators(self, _):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for number, (image, label) in enumerate(encoded[:4]):
                yield (
                    number,
                    {
                        "thumb": encoded[100][0],
                        "photo": image,
                        "coarse": label % 2,
                        "fine": label,
                    },
                )

    Two(data_dir=tmp_path).download_and_prepare()
    made = source("two", tmp_path)
    found = list(made.catalog().pictures)
    assert {(picture.content, picture.label) for picture in found} == set(encoded[:4])
    assert made.catalog().shape == (8, 8, 1)


def test_a_mask_beside_the_picture_is_no_second_picture(kinds, encoded, tmp_path):
    features = {
        "image": kinds.Image(),
        "label": kinds.ClassLabel(names=WORDS),
        "mask": kinds.LabeledImage(labels=3),
    }
    rows = examples(encoded[:3], mask=np.zeros((2, 2, 1), np.uint8))
    store(tmp_path, "pets", features, {"train": rows})
    found = list(source("pets", tmp_path).catalog().pictures)
    assert [(picture.content, picture.label) for picture in found] == encoded[:3]


def test_a_shape_that_differs_between_pictures_is_none(kinds, encoded, tmp_path):
    features = {"image": kinds.Image(), "label": kinds.ClassLabel(names=WORDS)}
    store(tmp_path, "any", features, {"train": examples(encoded[:2])})
    assert source("any", tmp_path).catalog().shape is None


@pytest.mark.parametrize(
    ("features", "row", "message"),
    [
        (lambda k: {"text": k.Text()}, {"text": "a"}, r"this set has text \(Text\)"),
        (
            lambda k: {"image": k.Image(), "mask": k.LabeledImage(labels=3)},
            {"image": np.zeros((2, 2, 3), np.uint8), "mask": np.zeros((2, 2, 1), np.uint8)},
            r"image \(Image\), mask \(LabeledImage\)",
        ),
        (
            lambda k: {
                "image": k.Image(),
                "a": k.ClassLabel(num_classes=2),
                "b": k.ClassLabel(num_classes=2),
            },
            {"image": np.zeros((2, 2, 3), np.uint8), "a": 0, "b": 1},
            r"a \(ClassLabel\), b \(ClassLabel\), image \(Image\)",
        ),
        (
            lambda k: {
                "image": k.Image(shape=(2, 2, 1), dtype=np.float32),
                "label": k.ClassLabel(num_classes=2),
            },
            {"image": np.zeros((2, 2, 1), np.float32), "label": 0},
            "the pixels of image are floats",
        ),
    ],
)
def test_a_set_that_is_not_of_labelled_pictures_is_refused(kinds, tmp_path, features, row, message):
    store(tmp_path, "other", features(kinds), {"train": [row, row]})
    with pytest.raises(DataError, match=rf"other/1\.0\.0: .*{message}"):
        source("other", tmp_path).catalog()


def test_the_names_of_the_recipe_stand_for_those_of_the_set(prepared):
    names = tuple("abcdefghij")
    assert source("small", prepared, classes=names).catalog().classes == list(names)
    with pytest.raises(DataError, match=r"has 10 classes, ingest\.classes names 2"):
        source("small", prepared, classes=("a", "b")).catalog()


def test_files_are_listed_without_any_heavy_import(prepared):
    code = (
        "import sys; from pathlib import Path; from pipeline.settings import Ingest\n"
        "from pipeline.data import DATASETS\n"
        "made = DATASETS['tfds'](Ingest(dataset='tfds:small', data_dir=Path(sys.argv[1])))\n"
        "made.prepare()\n"
        "print(*[name for name, path in made.files() if path.is_file()], sep='\\n')\n"
        "assert not {'tensorflow', 'tensorflow_datasets', 'keras'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", code, str(prepared)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = done.stdout.split()
    assert names == sorted(names)
    assert {Path(name).parent.as_posix() for name in names} == {"small/1.0.0"}
    shards = [name for name in names if ".tfrecord-0000" in name]
    assert len(shards) == 4 * 3
    assert {f"small/1.0.0/{name}" for name in ("dataset_info.json", "features.json")} <= set(names)


def test_the_highest_version_is_read_unless_the_name_says_which(kinds, encoded, tmp_path):
    features = {"image": kinds.Image(), "label": kinds.ClassLabel(names=WORDS)}
    for number, version in enumerate(("1.0.0", "1.10.0", "1.9.0")):
        rows = examples(encoded[number : number + 1])
        store(tmp_path, "aged", features, {"train": rows}, version=version)
    (tmp_path / "aged" / "incomplete.XYZ_2.0.0").mkdir()
    (tmp_path / "aged" / "3.0.0").mkdir()  # never finished
    for name, version, number in (
        ("aged", "1.10.0", 1),
        ("aged:1.0.0", "1.0.0", 0),
        ("aged:1.9.*", "1.9.0", 2),
    ):
        made = source(name, tmp_path)
        assert {path.parent.name for _, path in made.files()} == {version}
        assert [picture.content for picture in made.catalog().pictures] == [encoded[number][0]]
    assert list(source("aged:2.0.0", tmp_path).files()) == []


def test_a_config_is_read_by_its_name_and_the_usual_one_without(kinds, encoded, tmp_path):
    features = {"image": kinds.Image(), "label": kinds.ClassLabel(names=WORDS)}
    for number, config in enumerate(("plain", "noisy.1")):
        rows = examples(encoded[number : number + 1])
        store(tmp_path, "forms", features, {"train": rows}, config=config)
    note = tmp_path / "forms" / ".config" / "metadata.json"
    note.write_text('{"default_config_name": "plain"}')
    for name, number in (("forms", 0), ("forms/plain", 0), ("forms/noisy.1:1.0.0", 1)):
        made = source(name, tmp_path)
        assert [picture.content for picture in made.catalog().pictures] == [encoded[number][0]]
        assert all(file.startswith("forms/") for file, _ in made.files())
    note.write_text("{")
    with pytest.raises(DataError, match=r"metadata\.json: cannot be read .*; name a config"):
        list(source("forms", tmp_path).files())


def test_sets_lie_where_tensorflow_datasets_looks(prepared, monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    assert len(list(Tfds(Ingest(dataset="tfds:small")).files())) == 15
    monkeypatch.delenv("TFDS_DATA_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(prepared, tmp_path / "tensorflow_datasets")
    assert next(Tfds(Ingest(dataset="tfds:small")).files())[1].is_relative_to(tmp_path)


@pytest.mark.parametrize(
    "name", ["tfds", "tfds:", "tfds:MNIST", "tfds:huggingface:mnist", "tfds:mnist:3", "tfds:a/b/c"]
)
def test_a_name_of_another_form_is_refused(name):
    with pytest.raises(ConfigError, match="is not of the form tfds:NAME"):
        Tfds(Ingest(dataset=name))


def test_a_path_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"ingest\.path: .*ingest\.data_dir"):
        Tfds(Ingest(dataset="tfds:mnist", path=tmp_path))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fashion_mnits", "knows no such set.*did you mean fashion_mnist"),
        ("xqzw", "holds none of the name$"),
        ("small:2.0.0", r"holds small/1\.0\.0$"),
        ("cifar10_corrupted/fog_11", "no such config: did you mean 'fog_1'"),
        ("mnist:1.0.0", r"cannot be loaded at version 1\.0\.0, only: 3\.0\.1"),
    ],
)
def test_a_set_that_cannot_be_had_is_named_with_what_can(kinds, prepared, name, message):
    made = source(name, prepared)
    assert list(made.files()) == []
    with pytest.raises(DataError, match=message) as caught:
        made.prepare()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def _failing(monkeypatch, error):
    import tensorflow_datasets as tfds

    def fail(self, **_):
        raise error

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ConnectionError("no\nroute"), DataError, r"no route; without a network, ingest\.data_dir"),
        (ModuleNotFoundError("No module named 'apache_beam'"), DataError, "apache_beam'; install"),
        (OSError(28, "No space left on device"), ResourceError, "No space left"),
        (OSError("Not enough disk space. Needed: 1 GiB"), ResourceError, "Needed: 1 GiB"),
    ],
)
def test_a_set_that_cannot_be_fetched_says_what_to_do(
    kinds, monkeypatch, tmp_path, error, kind, message
):
    _failing(monkeypatch, error)
    with pytest.raises(kind, match=rf"tfds:mnist: cannot be prepared in .*{message}") as caught:
        source("mnist", tmp_path).prepare()
    assert "\n" not in str(caught.value)


def test_a_set_fetched_by_hand_says_where_its_files_go(kinds, tmp_path):
    with pytest.raises(DataError, match=r"downloads/manual .*; its files have to be fetched by"):
        source("imagenet2012", tmp_path).prepare()


def test_preparing_writes_the_set_once_and_keeps_the_screen_clean(
    kinds, encoded, tmp_path, capfd, monkeypatch
):
    import tensorflow_datasets as tfds

    made = []

    class OwnDigits(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("2.1.0")

        def _info(self):
            features = {"image": kinds.Image(), "label": kinds.ClassLabel(names=WORDS)}
            return tfds.core.DatasetInfo(builder=self, features=kinds.FeaturesDict(features))

        def _split_generators(self, _):
            made.append(self.data_dir)
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            yield from enumerate(examples(encoded[:6]))

    monkeypatch.setitem(tfds.core.registered._DATASET_REGISTRY, "own_digits", OwnDigits)
    wanted = source("own_digits", tmp_path)
    assert list(wanted.files()) == []
    assert wanted.prepare() == tmp_path / "own_digits" / "2.1.0"
    assert wanted.prepare() == tmp_path / "own_digits" / "2.1.0"
    assert len(made) == 1
    out, err = capfd.readouterr()
    assert out == ""
    said = [line for line in err.splitlines() if "tensorflow-datasets prepares it in" in line]
    assert len(said) == 1
    assert "examples/s" not in err
    assert len(list(wanted.files())) >= 3
    assert len(list(wanted.catalog().pictures)) == 6


def test_a_folder_that_was_left_half_made_is_named(kinds, tmp_path):
    (tmp_path / "mnist" / "3.0.1").mkdir(parents=True)
    with pytest.raises(DataError, match=r"mnist/3\.0\.1: has no dataset_info\.json.*; remove it"):
        source("mnist", tmp_path).prepare()


def gather(pictures, found):
    """Put each picture into `found` as it comes, so that those before an error are kept."""
    for picture in pictures:
        found.append(picture)


def shard(folder, number):
    return folder / "small" / "1.0.0" / f"small-train.tfrecord-{number:05}-of-00003"


@pytest.mark.parametrize(
    ("harm", "whole", "message"),
    [
        (lambda path: path.unlink(), 30, r"tfrecord-00001-of-00003; No such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), 59, "truncated record"),
        (lambda path: path.write_bytes(b""), 30, "expected to contain 90 elements"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-30] + bytes(30)),
            59,
            "corrupted record",
        ),
    ],
    ids=["missing", "cut", "empty", "altered"],
)
def test_a_damaged_shard_ends_the_stream_with_the_sets_name(copied, harm, whole, message):
    harm(shard(copied, 1))
    found = []
    with pytest.raises(DataError, match=rf"small/1\.0\.0: train\[\d+\] .*{message}") as caught:
        gather(source("small", copied).catalog().pictures, found)
    assert "\n" not in str(caught.value)
    assert "function_node" not in str(caught.value)
    assert str(copied / "small" / "1.0.0") in str(caught.value)
    assert len(found) >= whole


@pytest.mark.parametrize("name", ["features.json", "dataset_info.json"])
def test_damaged_descriptions_are_named(copied, name):
    (copied / "small" / "1.0.0" / name).write_text("{")
    with pytest.raises(DataError, match=r"tfds:small in .*Expecting property name") as caught:
        source("small", copied).catalog()
    assert "\n" not in str(caught.value)


def test_pictures_are_read_as_they_are_asked_for(copied):
    shard(copied, 2).unlink()
    pictures = iter(source("small", copied).catalog().pictures)
    assert isinstance(next(pictures), Found)  # the missing shard is not looked at yet


@pytest.mark.slow
def test_memory_does_not_grow_with_the_set(kinds, tmp_path):
    large = np.random.default_rng(0).bytes(2**20)
    features = {"image": kinds.Image(), "label": kinds.ClassLabel(num_classes=2)}
    rows = [{"image": large, "label": 0} for _ in range(96)]
    store(tmp_path, "large", features, {"train": rows})
    code = f"""
import psutil
from pathlib import Path
from pipeline.data.sources.tfds import Tfds
from pipeline.settings import Ingest

source = Tfds(Ingest(dataset="tfds:large", data_dir=Path({str(tmp_path)!r})))
pictures = iter(source.catalog().pictures)
next(pictures)
before = psutil.Process().memory_info().rss
print(max(psutil.Process().memory_info().rss for _ in pictures) - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (
        int(done.stdout) < 40 * 2**20
    )  # of 96: a process of its own, where nothing else allocates


def test_fashion_mnist_is_read_through_tensorflow_datasets(kinds, tmp_path):
    import tensorflow_datasets as tfds

    builder = tfds.builder("fashion_mnist", data_dir=tmp_path)
    template = tfds.core.ShardedFileTemplate(
        data_dir=builder.data_path, dataset_name="fashion_mnist", filetype_suffix="tfrecord"
    )
    splits = [
        tfds.core.SplitInfo(name=name, shard_lengths=[12], num_bytes=1, filename_template=template)
        for name in ("train", "test")
    ]
    builder.data_path.mkdir(parents=True)
    builder.info.set_splits(tfds.core.SplitDict(splits))
    builder.info.write_to_directory(builder.data_path)
    with tfds.testing.mock_data(num_examples=12, data_dir=str(tmp_path)):
        made = source("fashion_mnist", tmp_path)
        catalog = made.catalog()
        found = list(catalog.pictures)
        assert catalog.shape == (28, 28, 1)
    assert catalog.classes[9] == "Ankle boot"
    assert catalog.count == 24
    assert [picture.split for picture in found] == ["train"] * 12 + ["test"] * 12
    assert Image.open(io.BytesIO(found[0].content)).size == (28, 28)


def export(folder, dataset, splits):
    """Write a set's pictures as PNG class folders, decoded by tensorflow-datasets itself."""
    import tensorflow_datasets as tfds

    for split, name in splits.items():
        for number, example in enumerate(tfds.as_numpy(dataset.as_dataset(split=split))):
            path = folder / name / WORDS[example["label"]] / f"{split} {number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(example["image"][..., 0]).save(path, optimize=True)


@pytest.mark.parametrize("given", [True, False], ids=["given splits", "one split"])
def test_a_set_and_its_pictures_in_a_folder_come_to_the_same_bytes(kinds, encoded, tmp_path, given):
    import tensorflow_datasets as tfds

    features = {
        "image": kinds.Image(shape=(8, 8, 1), encoding_format="png"),
        "label": kinds.ClassLabel(names=WORDS),
    }
    rows = examples(encoded[:600])
    splits = {"train": rows[:450], "test": rows[450:]} if given else {"train": rows}
    store(tmp_path / "sets", "same", features, splits, shards=3)
    folders = {split: split if given else "." for split in splits}
    export(tmp_path / "same", tfds.builder("same", data_dir=tmp_path / "sets"), folders)
    as_set = Ingest(dataset="tfds:same", data_dir=tmp_path / "sets")
    as_folder = Ingest(
        dataset="folder", path=tmp_path / "same", size=8, color="gray", classes=tuple(WORDS)
    )
    left = {}
    for settings in (as_set, as_folder):
        out = tmp_path / settings.dataset
        out.mkdir()
        ingest.run(settings, {}, out)
        left[settings.dataset] = {path.name: path.read_bytes() for path in out.iterdir()}
    assert len(left["folder"]) == 8
    assert left["folder"] == left["tfds:same"]
    assert np.load(tmp_path / "folder" / "test_labels.npy").size > 100
