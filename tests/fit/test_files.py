import time
import zipfile

import keras
import numpy as np
import pytest

from pipeline.fit import files, session
from pipeline.fit.files import load_model, save_model


def with_everything():
    """A network with layers of every kind of state: statistics, dropout, normalization."""
    session.begin(3)
    images = x = keras.Input((8, 8, 1), name="images")
    x = keras.layers.Rescaling(1 / 255)(x)
    x = keras.layers.Conv2D(4, 3)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.5)(keras.layers.Flatten()(x))
    return keras.Model(images, keras.layers.Dense(10, activation="softmax")(x))


@pytest.fixture
def model():
    return with_everything()


def test_equal_models_saved_at_different_times_are_equal_bytes(model, tmp_path, monkeypatch):
    save_model(model, tmp_path / "one.keras")
    keras.random.uniform((3,))
    monkeypatch.setattr(time, "time", lambda: 2e9)
    save_model(with_everything(), tmp_path / "two.keras")
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()


def test_one_other_weight_is_other_bytes(model, tmp_path):
    save_model(model, tmp_path / "one.keras")
    bias = model.layers[-1].bias
    bias.assign(np.nextafter(np.asarray(bias), 1))
    save_model(model, tmp_path / "two.keras")
    assert (tmp_path / "one.keras").read_bytes() != (tmp_path / "two.keras").read_bytes()


def test_a_model_that_was_trained_leaves_its_optimizer_behind(model, digits, tmp_path):
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(digits[0][:64].astype("float32"), digits[1][:64], verbose=0)
    fresh = with_everything()
    fresh.set_weights(model.get_weights())
    save_model(model, tmp_path / "trained.keras")
    save_model(fresh, tmp_path / "fresh.keras")
    assert (tmp_path / "trained.keras").read_bytes() == (tmp_path / "fresh.keras").read_bytes()
    assert model.optimizer.iterations > 0  # and the model in hand is as it was


def test_it_loads_back_equal_and_saves_again_equal(model, digits, tmp_path):
    path = tmp_path / "model.keras"
    save_model(model, path)
    again = load_model(path)
    images = digits[0][:32].astype("float32")
    assert np.array_equal(again.predict(images, verbose=0), model.predict(images, verbose=0))
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert not again.compiled
    save_model(again, tmp_path / "again.keras")
    assert (tmp_path / "again.keras").read_bytes() == path.read_bytes()


def test_nothing_but_the_file_is_left_and_it_holds_no_date(model, tmp_path):
    save_model(model, tmp_path / "model.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert {info.date_time for info in archive.infolist()} == {files.EPOCH}
        assert archive.namelist() == sorted(archive.namelist())
        assert b"date_saved" not in archive.read("metadata.json")


def test_code_in_a_model_is_not_run(tmp_path):
    images = keras.Input((2,))
    trick = keras.Model(images, keras.layers.Lambda(lambda x: x)(images))
    trick.save(tmp_path / "trick.keras")
    with pytest.raises(ValueError, match="Lambda"):
        load_model(tmp_path / "trick.keras")
