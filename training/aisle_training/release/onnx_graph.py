"""The linear stage's products of weights as an ONNX graph: terms in, sums and reasons out."""

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from aisle_training.fit.fit import TrainedModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What every onnxruntime of the last years reads; nothing newer is needed.
_OPSET = 18
_IR_VERSION = 9


def build(trained: TrainedModel) -> bytes:
    """Return the serialised graph of a trained model, for one product at a time.

    Inputs: `terms` int64 (terms,), distinct numbers of the vocabulary; `digits` uint8
    (digits, terms), those of each term's value as `aisle.model.linear` writes them; `vectors`
    float32 (1, dimensions); `explain` int64 (asked,), numbers of scorers. Outputs: `sums` int32
    (digits, scorers), digits times weights; `offsets` float32 (1, scorers), what the vector and the
    intercept add; `weights` int8 (terms, asked) and `directions` float32 (dimensions, asked), those
    of the scorers asked for.

    The weights are stored sparse, which keeps the file small; onnxruntime holds them dense.
    """
    dimensions, scorers = trained.vector_weights.shape
    value = helper.make_tensor_value_info
    inputs = [
        value("terms", TensorProto.INT64, ["terms"]),
        value("digits", TensorProto.UINT8, ["digits", "terms"]),
        value("vectors", TensorProto.FLOAT, [1, dimensions]),
        value("explain", TensorProto.INT64, ["asked"]),
    ]
    outputs = [
        value("sums", TensorProto.INT32, ["digits", scorers]),
        value("offsets", TensorProto.FLOAT, [1, scorers]),
        value("weights", TensorProto.INT8, ["terms", "asked"]),
        value("directions", TensorProto.FLOAT, [dimensions, "asked"]),
    ]
    constants: dict[str, NDArray[Any]] = {
        "vector_weights": trained.vector_weights,
        "intercepts": trained.intercepts,
    }
    node = helper.make_node
    nodes = [
        node("Gather", ["stored_weights", "terms"], ["rows"]),
        node("MatMulInteger", ["digits", "rows"], ["sums"]),
        node("MatMul", ["vectors", "vector_weights"], ["of_vectors"]),
        node("Add", ["of_vectors", "intercepts"], ["offsets"]),
        node("Gather", ["rows", "explain"], ["weights"], axis=1),
        node("Gather", ["vector_weights", "explain"], ["directions"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "aisle",
        inputs,
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
        sparse_initializer=[_sparse("stored_weights", trained)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR_VERSION
    model.producer_name = "aisle"
    sizes = {
        "scorers": str(scorers),
        "terms": str(len(trained.vocabulary.terms)),
        "dimensions": str(dimensions),
    }
    helper.set_model_props(model, sizes)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _sparse(name: str, trained: TrainedModel) -> onnx.SparseTensorProto:
    weights = trained.weights.tocoo()
    positions = weights.row.astype(np.int64) * weights.shape[1] + weights.col
    order = np.argsort(positions)
    return helper.make_sparse_tensor(
        numpy_helper.from_array(weights.data[order], name),
        numpy_helper.from_array(positions[order], f"{name}_positions"),
        list(weights.shape),
    )
