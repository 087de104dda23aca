"""Load ONNX models: the only module that imports onnxruntime."""

import onnxruntime as ort

from aisle.errors import BundleError


def load_session(data: bytes, file: str) -> ort.InferenceSession:
    """Load a model to run on one thread: a Lambda has one core, and callers run in parallel.

    `file` names the model in the BundleError that is raised where onnxruntime cannot load it.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own types, all directly under Exception
        raise BundleError(
            f"The bundle's {file} cannot be loaded by onnxruntime {ort.__version__}: {error}. "
            "Expected a model that `aisle train` exported. Train and export it again."
        ) from error
