"""Random damage: whatever it is, each file is read or listed, and nothing falls over."""

import gzip

import pytest

from pipeline.data import source
from pipeline.data.decoding import Rules, decode
from pipeline.data.opening import Unreadable
from pipeline.data.sources import Found
from pipeline.errors import DataError
from pipeline.settings import Ingest
from tests.attacks import corpus, mutations
from tests.attacks.watching import accepted
from tests.marks import slow_but


def test_each_of_a_thousand_mutated_pictures_is_read_or_listed(take_apart, sound):
    count = 1000
    for name, content in mutations.mutated(mutations.sound_files(), count):
        (sound / "nine" / name).write_bytes(content)
    words = ("ingest.max_bad_fraction=1.0", "ingest.max_pixels=1000000")
    taken = accepted(take_apart(sound, *words))
    assert taken.accounted == 3 * corpus.EACH + count
    listed = {where for kind in ("quarantined", "passed_over") for where in taken.said(kind)}
    assert count / 4 < len(listed) < count
    assert all(len(reason) <= 300 for reason in taken.said().values())


def test_the_same_damage_gives_the_same_audit(take, take_apart, sound):
    """No address, time or path of this machine is in a reason, so that equal runs are equal."""
    for name, content in mutations.mutated(mutations.sound_files(), 60, seed=2):
        (sound / "nine" / name).write_bytes(content)
    words = ("ingest.max_bad_fraction=1.0", "ingest.max_pixels=1000000")
    one, other = (accepted(way(sound, *words)) for way in (take, take_apart))
    assert (one.folder / "audit.json").read_bytes() == (other.folder / "audit.json").read_bytes()
    assert str(sound) not in (one.folder / "audit.json").read_text()


IMAGES, LABELS = corpus.digits_arrays()
WORDS = LABELS.astype("U5")
TABLE = "path,label,split\n" + "".join(
    f"{n}.png,{n % 3},{'train' if n % 4 else 'test'}\n" for n in range(60)
)


def swallowed(settings):
    """Read a source to its end as ingest does; say whether it was refused."""
    rules = Rules.of(settings, files=settings.dataset == "table")
    try:
        catalog = source(settings).catalog()
        for found in catalog.pictures:
            if isinstance(found, Found):
                decode(found.content, rules)
    except DataError:
        return True
    except Unreadable:
        assert settings.dataset == "table"
    return False


@pytest.mark.parametrize("labels", [LABELS, WORDS], ids=["numbers", "words"])
def test_mutated_archives_are_read_or_refused(tmp_path, labels):
    settings = Ingest(dataset="arrays", path=tmp_path / "set.npz")
    refused = 0
    for _, content in mutations.mutated({"npz": mutations.npz(images=IMAGES, labels=labels)}, 400):
        settings.path.write_bytes(content)
        refused += swallowed(settings)
    assert refused > 200


def test_mutated_arrays_are_read_or_refused(tmp_path):
    settings = Ingest(dataset="arrays", path=tmp_path)
    files = {"images": corpus.npy(IMAGES), "labels": corpus.npy(WORDS)}
    refused = 0
    for name, content in mutations.mutated(files, 400):
        for other, sound in files.items():
            (tmp_path / f"{other}.npy").write_bytes(content if other in name else sound)
        refused += swallowed(settings)
    assert refused > 100


@pytest.mark.parametrize("packed", slow_but([True], [False, True]))
def test_mutated_idx_files_are_read_or_refused(tmp_path, packed):
    settings = Ingest(dataset="idx", path=tmp_path)
    files = {}
    for part in ("train", "t10k"):
        files[f"{part}-images-idx3-ubyte"] = corpus.idx(IMAGES.shape, IMAGES.tobytes())
        files[f"{part}-labels-idx1-ubyte"] = corpus.idx(LABELS.shape, LABELS.astype("u1").tobytes())
    if packed:
        files = {f"{name}.gz": gzip.compress(content) for name, content in files.items()}
    refused = 0
    for name, content in mutations.mutated(files, 400):
        for other, sound in files.items():
            (tmp_path / other).write_bytes(content if name.endswith(other) else sound)
        refused += swallowed(settings)
    assert refused > 200


def test_mutated_tables_are_read_or_refused(tmp_path):
    for number in range(60):
        corpus.gray(number % 10, number // 10).save(tmp_path / f"{number}.png")
    settings = Ingest(dataset="table", path=tmp_path / "table.csv")
    for _, content in mutations.mutated({"csv": TABLE.encode()}, 150):
        settings.path.write_bytes(content)
        swallowed(settings)
