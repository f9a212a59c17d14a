import gzip
import hashlib
import random

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from pipeline.errors import IntegrityError
from pipeline.measure.flatbuffer import inspect

# Conv 3x3 1->8 on 8x8, conv 3x3 8->32 on 4x4, dense 512->10: weights + biases, multiply-adds.
PLAIN_PARAMS = (72 + 8) + (2304 + 32) + (5120 + 10)
PLAIN_MACS = 64 * 8 * 9 + 16 * 32 * 9 * 8 + 512 * 10
# Conv 3x3 1->8 on 8x8, depthwise 3x3 to 4x4, conv 1x1 8->16, dense 16->10.
DEPTHWISE_PARAMS = (72 + 8) + (72 + 8) + (128 + 16) + (160 + 10)
DEPTHWISE_MACS = 64 * 8 * 9 + 16 * 8 * 9 + 16 * 16 * 8 + 16 * 10


def dense_kernel(model):
    """The 10 x 512 kernel of `plain` and the buffer that holds it."""
    tensors = model.subgraphs[0].tensors
    kernel = next(tensor for tensor in tensors if list(tensor.shape) == [10, 512])
    return kernel, model.buffers[kernel.buffer]


@pytest.mark.parametrize("form", ["float32", "float16", "dynamic", "int8", "int8_edges", "int16x8"])
def test_every_format_counts_the_same_weights_and_work(tflite_nets, form):
    facts = inspect(tflite_nets[form])
    assert (facts.params, facts.nonzero_params) == (PLAIN_PARAMS, PLAIN_PARAMS)
    assert facts.macs == PLAIN_MACS


@pytest.mark.parametrize("form", ["depthwise_float32", "depthwise_int8"])
def test_depthwise_nets_count_one_filter_a_channel(tflite_nets, form):
    facts = inspect(tflite_nets[form])
    assert (facts.params, facts.macs) == (DEPTHWISE_PARAMS, DEPTHWISE_MACS)


@pytest.mark.parametrize("form", ["upsampling_float32", "upsampling_int8"])
def test_transposed_convolution_and_matrix_product_count(tflite_nets, form):
    facts = inspect(tflite_nets[form])
    assert facts.params == 3 * 3 * 4 + 16 * 10  # biases of zeros are none, dropped or made up
    assert facts.macs == 64 * 9 * 4 + 4 * 4 * 256 + 16 * 10


@pytest.mark.parametrize(
    ("form", "ops"),
    [
        ("float32", {"int8": 0, "float32": 6, "other": 0}),
        ("float16", {"int8": 0, "float32": 6, "other": 0}),
        ("dynamic", {"int8": 0, "float32": 4, "other": 2}),  # the two kernels above 1,024 weights
        ("int8", {"int8": 6, "float32": 0, "other": 0}),
        ("int8_edges", {"int8": 6, "float32": 0, "other": 0}),
        ("int16x8", {"int8": 0, "float32": 0, "other": 6}),
    ],
)
def test_operations_count_in_the_form_they_compute_in(tflite_nets, form, ops):
    assert inspect(tflite_nets[form]).ops == ops


@pytest.mark.parametrize("form", ["pruned_float32", "pruned_int8"])
def test_pruned_weights_are_seen_where_they_are(tflite_nets, form):
    facts = inspect(tflite_nets[form])
    assert facts.params - facts.nonzero_params == 2560
    (pruned,) = (weights for weights in facts.weights if weights.zeros)
    assert (pruned.shape, pruned.elements, pruned.zeros) == ((10, 512), 5120, 2560)
    assert sum(weights.elements for weights in facts.weights) == facts.params


def test_zero_is_the_zero_point_of_each_channel(edited):
    def shift_every_channel(model):
        kernel, buffer = dense_kernel(model)
        points = np.arange(10)
        stored = np.array(buffer.data, np.uint8).view(np.int8).reshape(10, 512) // 2
        stored[stored == 0] = 1
        stored[:, :7] = 0
        buffer.data = (stored + points[:, None]).astype(np.int8).view(np.uint8).ravel()
        kernel.quantization.zeroPoint = points

    (weights,) = (w for w in inspect(edited("int8", shift_every_channel)).weights if w.zeros)
    assert weights.zeros == 7 * 10


def test_one_zero_point_serves_a_whole_unsigned_tensor(edited):
    def make_unsigned(model):
        kernel, buffer = dense_kernel(model)
        stored = np.full(5120, 3, np.uint8)
        stored[:11] = 128
        buffer.data = stored
        kernel.type = schema.TensorType.UINT8
        kernel.quantization.scale, kernel.quantization.zeroPoint = [0.5], [128]

    (weights,) = (w for w in inspect(edited("int8", make_unsigned)).weights if w.zeros)
    assert weights.zeros == 11


@pytest.mark.parametrize(
    ("dtype", "packed", "zeros"),
    [
        (schema.TensorType.INT4, [0x0F, 0xF0, 0x00], 3),  # -1 0 | 0 -1 | 0 (and a spare half)
        (schema.TensorType.UINT4, [0x80, 0x08, 0x03], 2),  # 0 8 | 8 0 | 3 (and a spare half)
        (schema.TensorType.INT2, [0b11_00_01_00, 0b10], 2),  # 0 1 0 -1 | -2 (and a spare rest)
        (schema.TensorType.BFLOAT16, [0, 0, 0, 0x80, 0x80, 0x3F, 1, 0, 0, 0xC0], 2),  # 0 -0 1 e -2
        (schema.TensorType.FLOAT16, [0, 0, 0, 0x80, 0, 0x3C, 1, 0, 0, 0xC0], 2),
    ],
)
def test_packed_and_half_precision_weights_are_read(edited, dtype, packed, zeros):
    def narrow(model):
        kernel, buffer = dense_kernel(model)
        kernel.type, kernel.shape, kernel.quantization = dtype, [1, 5], None
        buffer.data = packed

    (weights,) = (w for w in inspect(edited("int8", narrow)).weights if w.elements == 5)
    assert weights.zeros == zeros


def test_signed_numbers_narrower_than_a_byte_meet_their_zero_point(edited):
    def narrow(model):
        kernel, buffer = dense_kernel(model)
        kernel.type, kernel.shape = schema.TensorType.INT4, [1, 5]
        kernel.quantization.scale, kernel.quantization.zeroPoint = [0.5], [-1]
        buffer.data = [0x0F, 0xF1, 0x00]

    (weights,) = (w for w in inspect(edited("int8", narrow)).weights if w.elements == 5)
    assert weights.zeros == 2


def test_a_scalar_of_a_formula_is_no_weight(edited):
    def make_scalar(model):
        kernel, buffer = dense_kernel(model)
        kernel.shape, buffer.data = [], [0, 0, 128, 63]

    def no_longer_dense(model):
        make_scalar(model)
        for code in model.operatorCodes:
            if code.builtinCode == schema.BuiltinOperator.FULLY_CONNECTED:
                code.builtinCode = schema.BuiltinOperator.MUL
                code.deprecatedBuiltinCode = schema.BuiltinOperator.MUL

    facts = inspect(edited("float32", no_longer_dense))
    assert facts.params == PLAIN_PARAMS - 5120


def test_elements_a_sparse_tensor_leaves_out_are_zero(edited):
    def thin_out(model):
        kernel, buffer = dense_kernel(model)
        kernel.sparsity = schema.SparsityParametersT()
        buffer.data = [5] * 99 + [0]

    (weights,) = (w for w in inspect(edited("int8", thin_out)).weights if w.zeros)
    assert (weights.elements, weights.zeros) == (5120, 5120 - 99)


def test_weights_behind_the_tables_are_found(edited):
    """Models above 2 GB keep constants after the flatbuffer and point at them."""

    def moved(offset):
        def move(model):
            _, buffer = dense_kernel(model)
            buffer.data, buffer.offset, buffer.size = None, offset, 5120

        return move

    length = edited("int8", moved(1 << 20)).stat().st_size
    path = edited("int8", moved(length))
    path.write_bytes(path.read_bytes() + bytes(120) + b"\x01" * 5000)
    facts = inspect(path)
    assert (facts.params, facts.params - facts.nonzero_params) == (PLAIN_PARAMS, 120)


def test_edges_and_signature_are_told(tflite_nets):
    facts = inspect(tflite_nets["int8"])
    (pixels,), (probabilities,) = facts.inputs, facts.outputs
    assert (pixels.shape, pixels.dtype) == ((1, 8, 8, 1), "uint8")
    assert (pixels.scale, pixels.zero_point) == (1.0, 0)
    assert (probabilities.shape, probabilities.dtype, probabilities.scale) == (
        (1, 10),
        "float32",
        0.0,
    )
    (signature,) = facts.signatures
    assert (signature.name, signature.inputs) == ("serving_default", ("images",))
    edges = inspect(tflite_nets["int8_edges"])
    assert (edges.inputs[0].dtype, edges.inputs[0].zero_point) == ("int8", -128)
    assert (edges.outputs[0].dtype, edges.outputs[0].scale) == ("int8", 1 / 256)


def test_size_and_digest_are_those_of_the_bytes(tflite_nets):
    path = tflite_nets["int8"]
    facts, blob = inspect(path), path.read_bytes()
    assert facts.bytes == len(blob)
    assert facts.sha256 == hashlib.sha256(blob).hexdigest()
    assert facts.gzip_bytes == len(gzip.compress(blob, compresslevel=9, mtime=0))


def test_an_operation_without_its_weights_is_damage(edited):
    def take_weights_away(model):
        graph = model.subgraphs[0]
        codes = model.operatorCodes
        conv = schema.BuiltinOperator.CONV_2D
        first = next(op for op in graph.operators if codes[op.opcodeIndex].builtinCode == conv)
        first.inputs = first.inputs[:1]

    with pytest.raises(IntegrityError, match="CONV_2D has an operand of shape"):
        inspect(edited("float32", take_weights_away))


def test_operations_of_ones_own_have_their_name_and_no_macs(edited):
    def rename(model):
        for code in model.operatorCodes:
            code.builtinCode, code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM, 32
            code.customCode = b"MyOp"

    facts = inspect(edited("float32", rename))
    assert (facts.macs, facts.params) == (0, PLAIN_PARAMS)


def shape_below_zero(kernel, buffer):
    kernel.shape = [10, -512]


def bytes_missing(kernel, buffer):
    buffer.data = buffer.data[:-1]


def too_many_scales(kernel, buffer):
    kernel.quantization.scale, kernel.quantization.zeroPoint = [1.0] * 11, [0]


def too_few_zero_points(kernel, buffer):
    kernel.quantization.zeroPoint = [0] * 9


def no_such_axis(kernel, buffer):
    kernel.quantization.quantizedDimension = 2


def sparse_yet_longer(kernel, buffer):
    kernel.sparsity, buffer.data = schema.SparsityParametersT(), [1] * 5121


def bytes_beyond_the_end(kernel, buffer):
    buffer.data, buffer.offset, buffer.size = None, 2**63, 2**63


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shape_below_zero, r"has shape \(10, -512\)"),
        (bytes_missing, "5119 stored, 5120 expected"),
        (too_many_scales, "11 stored, 10 expected"),
        (too_few_zero_points, "9 stored, 10 expected"),
        (no_such_axis, "index 2 points outside 2 entries"),
        (sparse_yet_longer, "5121 stored, 5120 expected"),
        (bytes_beyond_the_end, "its tables do not hold together"),
    ],
)
def test_tensors_that_contradict_themselves_are_damage(edited, damage, message):
    with pytest.raises(IntegrityError, match=message):
        inspect(edited("int8", lambda model: damage(*dense_kernel(model))))


@pytest.mark.parametrize("operands", [[0, 99], [-2, 1]])
def test_operands_that_do_not_exist_are_damage(edited, operands):
    def misdirect(model):
        model.subgraphs[0].operators[0].inputs = operands

    with pytest.raises(IntegrityError, match="point outside"):
        inspect(edited("float32", misdirect))


@pytest.mark.parametrize(
    "content", [b"", b"TFL3", b"\x00" * 100, b"\x10\x00\x00\x00TFL3", b"PK\x03\x04 a zip archive"]
)
def test_what_is_no_tflite_file_is_named_in_one_line(tmp_path, content):
    path = tmp_path / "strange.tflite"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"strange\.tflite") as caught:
        inspect(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(IntegrityError, match="No such file"):
        inspect(tmp_path / "absent.tflite")


@pytest.mark.parametrize("form", ["float16", "int8", "int16x8"])
def test_damaged_files_give_facts_or_an_integrity_error(tflite_nets, tmp_path, form):
    blob, path = tflite_nets[form].read_bytes(), tmp_path / "damaged.tflite"
    dice = random.Random(form)
    # The tables, where damage hurts, lie in front of and behind the weights.
    tables = [*range(400), *range(len(blob) - 3600, len(blob))]
    refused = 0
    for trial in range(200):
        damaged = bytearray(blob)
        if trial % 4 == 0:
            del damaged[dice.randrange(len(blob)) :]
        for _ in range(dice.choice((1, 1, 4))):
            spot = dice.choice(tables)
            if spot < len(damaged):
                damaged[spot] = dice.choice((0, 127, 128, 255, dice.randrange(256)))
        path.write_bytes(damaged)
        try:
            facts = inspect(path)
        except IntegrityError:
            refused += 1
            continue
        assert 0 <= facts.nonzero_params <= facts.params
        assert facts.arena_bytes >= 0
        assert facts.macs >= 0
    assert 50 <= refused < 200
