"""The scorer as an ONNX graph: terms and values in, probabilities and reasons out."""

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.fit import Trained

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What every onnxruntime of the last years reads; nothing newer is needed.
_OPSET = 18
_IR_VERSION = 9


def build(trained: Trained) -> bytes:
    """Return the serialised graph of a trained model.

    Inputs: `terms` int64 (terms,), distinct numbers of the vocabulary; `values` float32
    (products, terms), each product's value of each of these; `vectors` float32
    (products, dimensions); `explain` int64 (asked,), class numbers. Outputs: `probabilities`
    float32 (products, classes); `margins` float32 (products, scorers); `weights` float32
    (terms, asked), times `scale` float32 (terms,), and `direction` float32 (dimensions, asked),
    what a unit of each term and of each dimension adds to the score of each class asked for.

    The weights are stored sparse, which keeps the file small; onnxruntime holds them dense.
    """
    classes = len(trained.taxonomy.classes)
    dimensions, scorers = trained.vector_weights.shape
    inputs = [
        helper.make_tensor_value_info("terms", TensorProto.INT64, ["terms"]),
        helper.make_tensor_value_info("values", TensorProto.FLOAT, ["products", "terms"]),
        helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["products", dimensions]),
        helper.make_tensor_value_info("explain", TensorProto.INT64, ["asked"]),
    ]
    outputs = [
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["products", classes]),
        helper.make_tensor_value_info("margins", TensorProto.FLOAT, ["products", scorers]),
        helper.make_tensor_value_info("weights", TensorProto.FLOAT, ["terms", "asked"]),
        helper.make_tensor_value_info("scale", TensorProto.FLOAT, ["terms"]),
        helper.make_tensor_value_info("direction", TensorProto.FLOAT, [dimensions, "asked"]),
    ]
    constants: dict[str, NDArray[Any]] = {
        "scales": trained.scale,
        "vector_weights": trained.vector_weights,
        "intercepts": trained.intercepts,
        "slots": trained.slots,
        "slot_weights": trained.slot_weights,
        "last_axis": np.array([-1], np.int64),
    }
    node = helper.make_node
    nodes = [
        # The coefficients of the terms at hand, but for their scale: float32 (terms, scorers).
        # There are far fewer values to scale than coefficients.
        node("Gather", ["stored_weights", "terms"], ["stored_rows"]),
        node("Cast", ["stored_rows"], ["rows"], to=TensorProto.FLOAT),
        node("Gather", ["scales", "terms"], ["scale"]),
        node("Mul", ["values", "scale"], ["scaled_values"]),
        # Each class adds up its own scorer and its ancestors'.
        node("MatMul", ["scaled_values", "rows"], ["of_terms"]),
        node("MatMul", ["vectors", "vector_weights"], ["of_vectors"]),
        node("Add", ["of_terms", "of_vectors"], ["products_of_weights"]),
        node("Add", ["products_of_weights", "intercepts"], ["margins"]),
        node("Gather", ["margins", "slots"], ["slot_margins"], axis=1),
        node("Mul", ["slot_margins", "slot_weights"], ["slot_scores"]),
        node("ReduceSum", ["slot_scores", "last_axis"], ["scores"], keepdims=0),
        node("Softmax", ["scores"], ["probabilities"], axis=-1),
        # The same sum for one unit of each term.
        node("Gather", ["slots", "explain"], ["asked_slots"]),
        node("Gather", ["slot_weights", "explain"], ["asked_weights"]),
        node("Gather", ["rows", "asked_slots"], ["asked_rows"], axis=1),
        node("Mul", ["asked_rows", "asked_weights"], ["asked_parts"]),
        node("ReduceSum", ["asked_parts", "last_axis"], ["weights"], keepdims=0),
        node("Gather", ["vector_weights", "asked_slots"], ["asked_directions"], axis=1),
        node("Mul", ["asked_directions", "asked_weights"], ["direction_parts"]),
        node("ReduceSum", ["direction_parts", "last_axis"], ["direction"], keepdims=0),
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
        "classes": str(classes),
        "terms": str(len(trained.vocabulary.terms)),
        "dimensions": str(dimensions),
    }
    helper.set_model_props(model, sizes)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _sparse(name: str, trained: Trained) -> onnx.SparseTensorProto:
    weights = trained.weights.tocoo()
    positions = weights.row.astype(np.int64) * weights.shape[1] + weights.col
    order = np.argsort(positions)
    return helper.make_sparse_tensor(
        numpy_helper.from_array(weights.data[order], name),
        numpy_helper.from_array(positions[order], f"{name}_positions"),
        list(weights.shape),
    )
