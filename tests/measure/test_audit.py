"""What a file computes in, whatever it is called."""

import shutil
import warnings

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from pipeline.errors import IntegrityError
from pipeline.measure.audit import audit, claimed, problems

FORMS = {
    "float32": "float32",
    "float16": "float16",
    "dynamic": "dynamic",
    "int8": "int8",
    "int8_edges": "int8",
    "int16x8": "int16x8",
    "pruned_int8": "int8",
    "depthwise_float32": "float32",
}


@pytest.mark.parametrize("name", FORMS)
def test_a_file_is_what_it_computes_in(tflite_nets, name):
    found = audit(tflite_nets[name])
    assert found.form == FORMS[name]
    assert list(problems(found, claimed(f"{name.partition('_')[0]}.tflite"))) == []
    assert found.unloadable is None


def test_a_dynamic_range_file_renamed_int8_is_caught(tflite_nets, tmp_path):
    path = tmp_path / "net-int8.tflite"
    shutil.copy(tflite_nets["dynamic"], path)
    found = audit(path)
    (said,) = problems(found, claimed(path.name))
    assert said == (
        "said to be int8, and 6 of 6 operations are not: "
        "in float32: CONV_2D #0, MAX_POOL_2D #1, RESHAPE #3, SOFTMAX #5; "
        "in float32 with integer weights: CONV_2D #2, FULLY_CONNECTED #4"
    )


@pytest.fixture(scope="module")
def odd_nets(tmp_path_factory):
    """An int8 file in which one operation stays in float32, and a float32 file with a Flex one."""
    import keras
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("odd")
    pictures = np.random.default_rng(0).random((20, 1, 8, 8, 1), np.float32)
    builtin, int8 = tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.TFLITE_BUILTINS_INT8

    def make(name, between, kinds, *, quantized):
        images = keras.Input((8, 8, 1))
        x = between(keras.layers.Conv2D(8, 3, activation="relu")(images))
        x = keras.layers.Conv2D(8, 3, activation="relu")(x)
        net = keras.Model(images, keras.layers.Dense(10)(keras.layers.Flatten()(x)))
        net.export(folder / name, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / name))
        converter.target_spec.supported_ops = kinds
        if quantized:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([picture] for picture in pictures)
        (folder / f"{name}.tflite").write_bytes(converter.convert())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make("int8", keras.ops.sin, [int8, builtin], quantized=True)
        flex = [builtin, tf.lite.OpsSet.SELECT_TF_OPS]
        make("flex", keras.ops.erf, flex, quantized=False)
    return folder


def test_what_falls_back_to_float_is_named(odd_nets):
    found = audit(odd_nets / "int8.tflite")
    (sine,) = [one for one in found.operations if one.form == "float32"]
    assert sine.code == "SIN"
    assert found.form == "mixed"
    of = len(found.computing)
    assert list(problems(found, "int8")) == [
        f"said to be int8, and 1 of {of} operations are not: in float32: SIN #{sine.number}"
    ]
    assert list(problems(found, None)) == []


def test_a_flex_operation_is_named_whatever_is_said_of_the_file(odd_nets):
    found = audit(odd_nets / "flex.tflite")
    (flex,) = [one for one in found.operations if one.custom]
    assert flex.code == "FlexErf"
    assert found.form == "float32"
    assert {"SHAPE", "PACK"} <= {one.code for one in found.operations if one.form == "indices"}
    for said in (None, "float32"):
        (line,) = problems(found, said)
        assert line.startswith(f"FlexErf #{flex.number}: TensorFlow's own")
    assert "Flex" in found.unloadable
    assert found.delegated is None


def test_xnnpack_takes_what_litert_says_it_takes(tflite_nets):
    """Convolutions and the dense layer, of float32 and int8; of int16x8 nothing."""
    for name, heavy in (("float32", True), ("int8", True), ("int16x8", False)):
        found = audit(tflite_nets[name])
        taken = {one.code for one in found.computing if one.xnnpack}
        assert ({"CONV_2D", "FULLY_CONNECTED"} <= taken) == heavy, name
        count, of = found.delegated
        assert count == sum(bool(one.xnnpack) for one in found.computing)
        assert of == len(found.computing) == 6


def test_scales_are_counted_a_channel_or_a_tensor(tflite_nets, edited):
    whole = audit(tflite_nets["int8"])
    kernels = [one for one in whole.operations if one.weights == "int8"]
    assert [one.scales for one in kernels] == [8, 32, 10]
    assert whole.per_channel == (3, 3)

    def one_scale(model):
        for tensor in model.subgraphs[0].tensors:
            if list(tensor.shape) == [10, 512]:
                tensor.quantization.scale = tensor.quantization.scale[:1]
                tensor.quantization.zeroPoint = tensor.quantization.zeroPoint[:1]

    assert audit(edited("int8", one_scale)).per_channel == (2, 3)


def test_somebodys_own_operation_is_named(edited):
    def rename(model):
        code = model.operatorCodes[0]
        code.builtinCode, code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM, 32
        code.customCode = b"My\nOp"

    found = audit(edited("float32", rename))
    said = list(problems(found, None))
    assert any("My\nOp #" in line and "the app has to bring it along" in line for line in said)


def test_what_lies_beside_the_network_is_told(tflite_nets):
    found = audit(tflite_nets["int8"])
    assert found.metadata["min_runtime_version"] == 16
    assert found.description == "MLIR Converted."
    assert found.subgraphs == 1


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("int8.tflite", "int8"),
        ("prune+int8.tflite", "int8"),
        ("slim.half+qat", "int8"),
        ("MobileNet_V2_INT8.tflite", "int8"),
        ("model-int16x8-v2.tflite", "int16x8"),
        ("dynamic", "dynamic"),
        ("model.tflite", None),
        ("int8ish.tflite", None),
    ],
)
def test_a_name_may_say_a_form(name, form):
    assert claimed(name) == form


def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"nothing of the kind")
    with pytest.raises(IntegrityError, match=r"not a \.tflite file"):
        audit(tmp_path / "model.tflite")
