"""What importing the library loads, in a fresh interpreter."""

from tests.commands import run_alone


def test_import_aisle_loads_no_room():
    """`import aisle` alone loads no room and no numpy; both load on first use."""
    public, loaded = run_alone(
        "import aisle, json, sys; print(json.dumps([aisle.__all__, sorted(sys.modules)]))"
    )
    assert set(public) >= {"Classifier", "Prediction", "Product", "load"}
    assert [name for name in loaded if name.startswith("aisle.") or name == "numpy"] == []


def test_light_modules_load_without_numpy():
    """The registry's modules that the small functions use load without numpy and onnxruntime."""
    names = "aisle.registry.audit, aisle.registry.job, aisle.registry.pointer, aisle.store.typed"
    loaded = run_alone(f"import json, sys, {names}\nprint(json.dumps(sorted(sys.modules)))")
    assert not {"numpy", "onnxruntime", "boto3"} & {*loaded}
