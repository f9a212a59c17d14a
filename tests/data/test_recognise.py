import numpy as np
import pytest

from pipeline.data.recognise import recognise
from pipeline.errors import ConfigError, DataError
from tests.picture_folders import digit_folder, digits


@pytest.mark.parametrize(
    ("made", "dataset"),
    [
        ("folder/cat", "folder"),
        ("set.csv", "table"),
        ("set.TSV", "table"),
        ("set.npz", "arrays"),
        ("arrays/x_train.npy", "arrays"),
        ("idx/train-images-idx3-ubyte.gz", "idx"),
        ("idx/train-images-idx3-ubyte", "idx"),
    ],
)
def test_what_a_path_is_chooses_the_source(tmp_path, made, dataset):
    path = tmp_path / made
    path.parent.mkdir(exist_ok=True)
    path.touch()
    given = path if path.parent == tmp_path else path.parent
    settings, reason = recognise(given)
    assert (settings.dataset, settings.path) == (dataset, given)
    assert reason


def test_a_stray_array_among_class_folders_is_no_set_of_arrays(tmp_path):
    digit_folder(tmp_path, range(10))
    np.save(tmp_path / "features.npy", digits()[0])
    assert recognise(tmp_path)[0].dataset == "folder"


def test_other_files_and_nothing_are_refused(tmp_path):
    with pytest.raises(DataError, match="absent: no such file or folder"):
        recognise(tmp_path / "absent")
    (tmp_path / "photos.zip").touch()
    with pytest.raises(ConfigError, match=r"photos\.zip: expected a folder of pictures"):
        recognise(tmp_path / "photos.zip")
