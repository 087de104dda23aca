"""An API on a classifier made of keywords, whose every response is checked against its OpenAPI."""

import re
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from aisle.normalize import tokenize, words
from aisle.product import Evidence, Prediction, Scored, path_from_names
from aisle.serving.predict.app import create_app
from aisle.taxonomy import Entry, Taxonomy


class KeywordClassifier:
    """Classify by the share of a text's words that are a category's own; see `Classifier`."""

    keywords = {  # noqa: RUF012  # nobody changes it
        ("Audio", "Headphones"): {"headphones", "earbuds"},
        ("Audio", "Speakers"): {"speaker", "bluetooth"},
        ("Cameras", "Accessories"): {"camera", "gopro", "mount", "kit"},
        ("Cameras",): {"cameras", "camcorder"},
    }

    def __init__(self, version="fake-1"):
        classes = [path_from_names(names) for names in self.keywords]
        rare = path_from_names(["Cameras", "Drones"])
        order = sorted(classes, key=lambda path: [node.id for node in path])
        entries = [Entry(path, 10 + at, at) for at, path in enumerate(order)]
        cameras = order.index(path_from_names(["Cameras"]))
        self.taxonomy = Taxonomy(classes, [*entries, Entry(rare, 1, cameras)])
        self.metrics = {"levels": [{"level": 1, "accuracy": 0.9}]}
        self.manifest = SimpleNamespace(
            model_version=version,
            normalizer_version=1,
            answer_thresholds=(0.6, 0.6),
            dataset={"snapshot": "s1", "rows": 41},
            libraries={"numpy": "2"},
        )
        self.calls = []

    @property
    def model_version(self):
        """The version of the fake."""
        return self.manifest.model_version

    def predict(self, products, *, top_k=5, explain=True):
        """Predict, and note the number of products."""
        self.calls.append(len(products))
        return [self._predict(product, top_k) for product in products]

    def _predict(self, product, top_k):
        typed = words(product.name) + words(product.description)
        names = [tuple(node.name for node in path) for path in self.taxonomy.classes]
        hits = [0.1 + sum(word in self.keywords[name] for word in typed) for name in names]
        scored = [
            Scored(path, hit / sum(hits))
            for path, hit in zip(self.taxonomy.classes, hits, strict=True)
        ]
        ranked = sorted(scored, key=lambda category: -category.confidence)
        best = ranked[0]
        levels = tuple(self._level(best.path[:depth], scored) for depth in range(1, len(best.path)))
        levels += (self._level(best.path, scored),)
        sure = [
            level
            for level, least in zip(levels, self.manifest.answer_thresholds, strict=False)
            if level.confidence >= least
        ]
        return Prediction(
            category=levels[-1],
            levels=levels,
            answer=sure[-1] if sure else None,
            needs_review=not sure or sure[-1].path != best.path,
            alternatives=tuple(ranked[1 : top_k + 1]),
            evidence=tuple(self._evidence(product, best)),
            model_version=self.model_version,
        )

    def _level(self, path, scored):
        below = [leaf.confidence for leaf in scored if leaf.path[: len(path)] == path]
        return Scored(path, min(1.0, sum(below)))

    def _evidence(self, product, best):
        known = self.keywords[tuple(node.name for node in best.path)]
        for field in ("name", "description"):
            text = getattr(product, field)
            for token in tokenize(text):
                if token.text in known:
                    typed = text[token.start : token.end]
                    yield Evidence(field, token.start, token.end, typed, 0.25)


def _matches(described, path):
    """Tell whether a path matches a described one, which may have parameters."""
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", described), path)


class CheckedClient(TestClient):
    """A client that checks every response of a described route against the OpenAPI document."""

    def request(self, method, url, **options):
        """Send a request, and check the response."""
        response = super().request(method, url, **options)
        self._check(response)
        return response

    def _check(self, response):
        described = self.app.openapi()
        path = response.request.url.path
        methods = next(
            (
                operations
                for pattern, operations in described["paths"].items()
                if _matches(pattern, path)
            ),
            {},
        )
        operation = methods.get(response.request.method.lower())
        if operation:
            content = operation["responses"][str(response.status_code)]["content"]
            schema = content[response.headers["content-type"]]["schema"]
            assert list(faults(response.json(), schema, described)) == []


_TYPES = {
    "object": {dict},
    "array": {list},
    "string": {str},
    "boolean": {bool},
    "null": {type(None)},
    "integer": {int},
    "number": {int, float},
}
_RULES = {
    "required": lambda value, names: set(names) <= set(value),
    "minimum": lambda value, limit: value >= limit,
    "maximum": lambda value, limit: value <= limit,
    "minItems": lambda value, limit: len(value) >= limit,
    "maxItems": lambda value, limit: len(value) <= limit,
    "maxLength": lambda value, limit: len(value) <= limit,
    "pattern": lambda value, limit: re.search(limit, value),
    "enum": lambda value, limit: value in limit,
    "const": lambda value, limit: value == limit,
}
_ELSEWHERE = {"type", "properties", "additionalProperties"}
_SILENT = {"title", "description", "examples", "default"} | _ELSEWHERE


def faults(value, schema, described, at="$"):
    """Yield where a JSON value breaks a JSON schema; knows only the keywords that we use."""
    kind = schema.get("type")
    if kind and type(value) not in _TYPES[kind]:
        yield f"{at}: {value!r} is not of type {kind}"
        return
    for keyword, rule in schema.items():
        if keyword == "$ref":
            named = described["components"]["schemas"][rule.rpartition("/")[2]]
            yield from faults(value, named, described, at)
        elif keyword == "anyOf":
            by_option = [list(faults(value, option, described, at)) for option in rule]
            if all(by_option):
                yield f"{at}: no option fits: {by_option}"
        elif keyword == "items":
            for index, item in enumerate(value):
                yield from faults(item, rule, described, f"{at}[{index}]")
        elif keyword not in _SILENT and not _RULES[keyword](value, rule):
            yield f"{at}: {value!r} breaks {keyword} {rule!r}"
    if kind == "object":
        yield from _faults_of_object(value, schema, described, at)


def _faults_of_object(value, schema, described, at):
    further = schema.get("additionalProperties", "properties" not in schema)
    for name, item in value.items():
        rule = schema.get("properties", {}).get(name, further)
        if rule is False:
            yield f"{at}: {name} is not described"
        elif isinstance(rule, dict):
            yield from faults(item, rule, described, f"{at}.{name}")


@pytest.fixture
def find_faults():
    """Give the function that finds where a value breaks a schema."""
    return faults


@pytest.fixture
def checked_client():
    """Give the class of clients that check responses."""
    return CheckedClient


@pytest.fixture
def classifier():
    """Make a classifier of keywords."""
    return KeywordClassifier()


@pytest.fixture
def client(classifier):
    """Make a client of the predict API on that classifier."""
    return CheckedClient(create_app(lambda: classifier))


@pytest.fixture
def other_classifier():
    """Make a second version of the classifier."""
    return KeywordClassifier("fake-2")
