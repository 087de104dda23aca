"""`import aisle`: the examples of its page, its errors, and what the import loads."""

import doctest
import math
import re
import shutil
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from fastapi.testclient import TestClient

import aisle
from aisle.errors import (
    BundleError,
    StoreDeniedError,
    StoreError,
    StoreNotFoundError,
    StoreUnreachableError,
)
from aisle.model import bundle
from aisle.registry import bundles
from aisle.store import layout, open_store
from tests.commands import run_alone

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "LIBRARY.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
GOPRO = "GoPro - Camera Mount Accessory Kit - Black"


@pytest.fixture(scope="module")
def model():
    """Load the packaged model."""
    return aisle.load()


def copy_store(source, url):
    """Copy the serving model from one store to another."""
    current, target = bundles.current_bundle(source), open_store(url)
    bundles.upload_bundle(target, current)
    target.put(layout.current_model(), source.get(layout.current_model()).data)
    return current


@pytest.fixture
def places(made_up_store, s3_url, tmp_path, monkeypatch):
    """Work in a folder with everything at the addresses that the page uses."""
    monkeypatch.chdir(tmp_path)
    current = copy_store(made_up_store, "shops/mine")
    copy_store(made_up_store, s3_url)
    bundle.write(Path("bundle"), current)
    return current.manifest.model_version


def test_the_examples_of_the_page_run(places):
    """Every example gives the output that the page shows, in the order of the page."""
    names = {}
    runner = doctest.DocTestRunner(
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False
    )
    said = []
    for number, example in enumerate(EXAMPLES):
        if ">>>" not in example:
            exec(compile(example, f"example {number}", "exec"), names)  # noqa: S102  # our own page
            continue
        test = doctest.DocTestParser().get_doctest(
            example, names, f"example {number}", "docs/LIBRARY.md", 0
        )
        runner.run(test, out=said.append, clear_globs=False)
        names = test.globs
    assert runner.failures == 0, "".join(said)
    assert runner.tries > 20
    answer = TestClient(names["app"]).get("/category", params={"name": GOPRO})
    assert answer.json() == {"id": "pcmcat329700050020", "needs_review": True}


def test_the_page_runs_all_its_python():
    """No example is outside the blocks that run."""
    assert PAGE.count(">>> ") == sum(example.count(">>> ") for example in EXAMPLES)


def test_import_loads_nothing_else():
    """The import alone loads neither numpy nor any room, and still has all its names."""
    code = (
        "import json, sys, aisle; before = sorted(sys.modules); "
        "names = [getattr(aisle, each) is not None for each in aisle.__all__]; "
        "print(json.dumps([before, names, sorted(dir(aisle))]))"
    )
    before, names, listed = run_alone(code)
    assert [each for each in before if each.startswith("aisle")] == ["aisle"]
    assert not {"numpy", "onnxruntime", "pydantic"} & {*before}
    assert all(names)
    assert {"Classifier", "Prediction", "Product", "errors", "load"} <= {*listed}


def test_a_name_that_is_not_there():
    """A wrong name raises Python's own error."""
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        aisle.laod  # noqa: B018  # looking is what fails


@pytest.mark.parametrize("form", [str, Path, lambda path: path.as_uri()])
def test_a_store_gives_the_model_that_serves(places, form, tmp_path):
    """A store's address may be a string, a path or a file:// address."""
    assert aisle.load(form(tmp_path / "shops/mine")).model_version == places


def test_a_store_that_published_nothing_gives_the_packaged_model(model, tmp_path):
    """Where a store has no model, the packaged one is loaded."""
    open_store(str(tmp_path)).put(layout.api_keys(), b"[]")
    assert aisle.load(tmp_path).model_version == model.model_version


def test_absent_is_an_error(s3_url, tmp_path):
    """No folder, a file, a folder of other things, an empty prefix, no bucket: no guessing."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "other" / "models").mkdir(parents=True)
    (tmp_path / "other" / "models" / "mine.pt").write_text("x")
    addresses = [*(str(tmp_path / name) for name in ("none", "file", "other")), s3_url]
    for address in (*addresses, "s3://no-such-bucket/shop"):
        with pytest.raises(StoreNotFoundError):
            aisle.load(address)


def test_denied_is_another_error(s3_url, tmp_path, monkeypatch):
    """A folder without read permission and an absent folder give different errors."""

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    with pytest.raises(StoreDeniedError, match="Permission denied"):
        aisle.load(tmp_path)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (("AccessDenied", 403), StoreDeniedError),
        (("InvalidAccessKeyId", 403), StoreDeniedError),
        (("NoSuchBucket", 404), StoreNotFoundError),
        (NoCredentialsError(), StoreDeniedError),
        (EndpointConnectionError(endpoint_url="http://s3"), StoreUnreachableError),
    ],
)
def test_s3_that_says_no(s3_url, answer, kind, monkeypatch):
    """Denied, absent and unreachable are three errors. Moto gives none of them; botocore does."""

    def fail(client, operation, request):
        if isinstance(answer, Exception):
            raise answer
        code, status = answer
        raise ClientError(
            {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation
        )

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", fail)
    with pytest.raises(StoreError) as caught:
        aisle.load(s3_url)
    assert type(caught.value) is kind


def test_a_broken_bundle_is_named(places, tmp_path):
    """A damaged bundle is an error that names the file; the packaged model does not step in."""
    shutil.copytree("bundle", "broken")
    Path("broken", bundle.LINEAR).write_bytes(b"x")
    with pytest.raises(BundleError, match=re.escape(bundle.LINEAR)):
        aisle.load("broken")


def test_an_address_of_another_type():
    """Bytes are not an address."""
    with pytest.raises(TypeError, match="Decode it"):
        aisle.load(b"shops/mine")


@pytest.mark.parametrize("given", [None, 7, 1.5, b"tv", {"name": "tv"}, [None], [7], [{}]])
def test_what_is_no_product(model, given):
    """Anything but a product is a TypeError that says what a product is, for both methods."""
    for ask in (model.predict, model.predict_proba):
        with pytest.raises(TypeError, match=r"aisle\.Product"):
            ask(given)


def test_a_negative_number_of_alternatives(model):
    """`top_k` is 0 or more."""
    assert model.predict("tv", top_k=0).alternatives == ()
    with pytest.raises(ValueError, match="-1 was given"):
        model.predict("tv", top_k=-1)


def test_nothing_gives_nothing(model):
    """Without products there is an empty list and no row of probabilities."""
    assert model.predict([]) == model.predict(iter(())) == []
    assert model.predict_proba([]).shape == (0, len(model.classes_))


def test_a_blank_text_is_for_a_person(model):
    """The packaged model is unsure of a product without text."""
    for prediction in model.predict(["", "  ", "?!", aisle.Product()]):
        assert prediction.answer is None
        assert prediction.needs_review
        assert prediction.evidence == ()


@pytest.mark.parametrize(
    "address", ["a\0b", "\ud800", Path("\ud800"), "file:///a%00b", "~no-such-user/x"]
)
def test_an_address_that_can_be_none(address):
    """A string that no file system accepts raises an error of this package."""
    with pytest.raises(StoreError):
        aisle.load(address)


@pytest.mark.parametrize("address", [Path("s3://shop/mine"), "s3:/shop/mine", Path("file:///x")])
def test_an_address_as_a_path(address):
    """`Path` removes a slash from an address, and the message says so."""
    with pytest.raises(StoreNotFoundError, match="Give the address as a str"):
        aisle.load(address)


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("price", math.nan, ValueError),
        ("price", math.inf, ValueError),
        ("price", -1, ValueError),
        ("price", np.float32("nan"), ValueError),
        pytest.param("price", 10**5000, ValueError, id="beyond"),
        ("price", "5", TypeError),
        ("price", Decimal(5), TypeError),
        ("name", 5, TypeError),
        ("description", b"x", TypeError),
        ("manufacturer", math.nan, TypeError),
    ],
)
def test_a_field_that_cannot_be(model, field, value, kind):
    """The message names the field, the product, and how to leave the field out."""
    product = aisle.Product(**{"name": "lamp", field: value})
    with pytest.raises(kind, match=rf"The {field} of product 1 .* pass None"):
        model.predict(["lamp", product])


@pytest.mark.parametrize("price", [5, np.float32(5), np.int64(5), 5.0, np.float64(5)])
def test_a_price_may_be_any_number(model, price):
    """Numpy's numbers are valid prices, as Python's are."""
    given, expected = aisle.Product(GOPRO, price=price), aisle.Product(GOPRO, price=5.0)
    assert model.predict(given) == model.predict(expected)


@pytest.mark.parametrize("top_k", [2.5, None, "3", np.array(3)])
def test_top_k_is_an_integer(model, top_k):
    """A value that is no integer is an error before anything is computed."""
    with pytest.raises(TypeError, match="an integer of 0 or more"):
        model.predict("lamp", top_k=top_k)


def test_an_array_without_dimensions_is_no_list(model):
    """It has the methods of one only."""
    with pytest.raises(TypeError, match="ndarray was given"):
        model.predict(np.array("lamp"))
