"""LightGBM's trees as an ONNX graph: descriptions of candidates in, their scores out."""

import lightgbm as lgb
import onnx
from onnx import TensorProto, helper
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

_OPSET = 15


def build(trees: str) -> bytes:
    """Return the serialised graph of trees in LightGBM's own text form.

    Input: `features` float32 (candidates, features). Output: `scores` float32 (candidates,).
    """
    booster = lgb.Booster(model_str=trees)
    given = FloatTensorType([None, booster.num_feature()])
    model = convert_lightgbm(
        booster, initial_types=[("features", given)], zipmap=False, target_opset=_OPSET
    )
    graph = model.graph
    graph.name = "reranker"  # the converter's is a random one, another bundle each time
    (column,) = (one.name for one in graph.output)
    graph.initializer.append(helper.make_tensor("flat", TensorProto.INT64, [1], [-1]))
    graph.node.append(helper.make_node("Reshape", [column, "flat"], ["scores"]))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["candidates"]))
    model.producer_name, model.producer_version = "aisle", ""
    # The converter's order is that of a set of strings, another one in another process.
    model.opset_import.sort(key=lambda opset: opset.domain)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))
