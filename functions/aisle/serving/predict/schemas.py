"""The request and response schemas of the predict API."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue

from aisle.identity import prediction_id
from aisle.product import Path as CategoryNodes
from aisle.product import Prediction, Product, Scored
from aisle.serving.http.problems import FieldError
from aisle.serving.http.product import GOPRO, Input, ProductInput
from aisle.taxonomy import Entry

DEFAULT_TOP_K = 5
MAX_PRODUCTS = 100

Confidence = Annotated[
    float,
    Field(ge=0, le=1, description="The model's confidence, from 0 to 1."),
    # The digits that single precision has, and no others.
    AfterValidator(lambda value: round(value, 6)),
]
TopK = Annotated[
    int | None,
    Field(ge=1, le=20, description="The maximum number of alternatives. Null means 5."),
]


class PredictRequest(ProductInput):
    """A product to classify."""

    model_config = ConfigDict(json_schema_extra={"examples": [GOPRO | {"top_k": 3}]})

    top_k: TopK = DEFAULT_TOP_K


class _Unchecked:
    """Describe a list's items as products, but accept anything: each is validated separately."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls,
        _schema: object,
        handler: GetJsonSchemaHandler,
    ) -> JsonSchemaValue:
        return handler(ProductInput.__pydantic_core_schema__)


class BatchRequest(Input):
    """Products to classify."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"products": [GOPRO, {"name": "USB-C charging cable, 2 m"}]}]
        }
    )

    products: Annotated[
        list[Annotated[Any, _Unchecked]], Field(min_length=1, max_length=MAX_PRODUCTS)
    ]
    top_k: TopK = DEFAULT_TOP_K


class _Output(BaseModel):
    model_config = ConfigDict(frozen=True)


class CategoryNode(_Output):
    """One node of the shop's taxonomy."""

    id: str = Field(
        description="The shop's own id, or the path of names if the category has none.",
        examples=["abcat0400000"],
    )
    name: str = Field(examples=["Cameras & Camcorders"])


NodePath = Annotated[
    list[CategoryNode],
    Field(description="The path from the root down to the category itself.", min_length=1),
]


class CategoryPath(CategoryNode):
    """A category and its path in the taxonomy."""

    path: NodePath


class Level(CategoryNode):
    """One level of the predicted category's path."""

    confidence: Confidence


class ScoredCategory(CategoryPath):
    """A category, its path in the taxonomy, and the model's confidence in it."""

    confidence: Confidence


class EvidenceFragment(_Output):
    """A fragment of the product's text that supports the predicted category.

    `start` (inclusive) and `end` (exclusive) count Unicode code points in the field as it was sent,
    from 0. JavaScript strings count UTF-16 units instead, so use
    `Array.from(text).slice(start, end).join("")` there.
    """

    field: Literal["name", "description", "manufacturer"]
    start: int = Field(ge=0, examples=[0])
    end: int = Field(ge=1, examples=[5])
    text: str = Field(examples=["GoPro"])
    weight: float = Field(
        ge=0,
        le=1,
        description="The fragment's share of all evidence for the category.",
        examples=[0.31],
    )


class PredictResponse(_Output):
    """The model's prediction for a product."""

    prediction_id: str = Field(
        description=(
            "24 hexadecimal digits; the same product and model always give the same id. It is the "
            "beginning of the SHA-256 of the model's version, a line feed, and the product's "
            "fields as JSON (sorted by name, without spaces or nulls, the price as a float)."
        ),
        pattern="^[0-9a-f]{24}$",
    )
    category: CategoryPath = Field(
        description="The most probable category, however low its confidence."
    )
    confidence: Confidence
    levels: list[Level] = Field(
        description=(
            "Every level of the category's path, root first. A level's confidence is the sum over "
            "that category and all categories below it."
        )
    )
    answer: ScoredCategory | None = Field(
        description=(
            "The deepest level whose confidence is high enough to show; null if there is none."
        )
    )
    needs_review: bool = Field(
        description=(
            "Whether a person should review it: `answer` is null or higher up than `category`."
        )
    )
    alternatives: list[ScoredCategory] = Field(
        description="The next most probable categories, best first, without `category`'s ancestors."
    )
    evidence: list[EvidenceFragment] = Field(
        description="The fragments that support the category, highest weight first."
    )
    model_version: str = Field(description="The version of the model that predicted.")


class BatchSuccess(_Output):
    """The result for a product that was classified."""

    prediction: PredictResponse


class ProductProblem(_Output):
    """The reason why a product in a batch could not be classified."""

    type: str = Field(examples=["/problems/invalid-input"])
    title: str
    status: int = Field(
        description="The HTTP status it would get in a request of its own.", examples=[422]
    )
    detail: str = Field(description="What is wrong, and what to do about it.")
    index: int = Field(ge=0, description="The product's index in the batch, from 0.")
    errors: list[FieldError] = Field(description="The fields at fault.", min_length=1)


class BatchFailure(_Output):
    """The result for a product that could not be classified."""

    error: ProductProblem


class BatchResponse(_Output):
    """One result for each product, in the order of the request."""

    results: list[BatchSuccess | BatchFailure]


class CategoriesQuery(BaseModel):
    """Which categories to list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: str = Field(
        default="",
        max_length=200,
        description=(
            "Words that the path must contain; the last may be incomplete. Empty: all categories."
        ),
        examples=["camera acc"],
    )
    limit: int = Field(default=20, ge=1, le=100, description="The maximum number to return.")
    offset: int = Field(default=0, ge=0, description="The number to skip.")


class ListedCategory(CategoryPath):
    """A category in the model's training data."""

    products: int = Field(ge=0, description="The number of products with exactly this category.")
    predicted: bool = Field(
        description="Whether the model can predict it; if not, it predicts an ancestor."
    )


class CategoriesResponse(_Output):
    """A page of categories, best match first."""

    items: list[ListedCategory]
    total: int = Field(ge=0, description="The number of matches on all pages.")
    next_offset: int | None = Field(
        description="The offset of the next page; null on the last page."
    )


class ModelResponse(_Output):
    """The current model and its figures."""

    version: str = Field(description="A hash of the model's content.")
    normalizer_version: int = Field(description="The version of the text normalisation.")
    labels: int = Field(ge=1, description="The number of categories it can predict.")
    categories: int = Field(ge=0, description="The number of categories in its training data.")
    levels: int = Field(ge=1, description="The length of its longest category path.")
    answer_thresholds: list[float] = Field(
        description=(
            "For each level, root first, the minimum confidence to show it as the answer. A level "
            "with a threshold above 1 is never shown."
        )
    )
    metrics: dict[str, Any] = Field(description="The figures on its frozen test.")
    dataset: dict[str, Any] = Field(description="The snapshot of products it was trained on.")
    libraries: dict[str, str] = Field(description="The library versions it was trained with.")


class HealthResponse(_Output):
    """The health of the service."""

    status: Literal["ok"]
    model_version: str = Field(description="The version of the current model.")


def predict_response(product: Product, prediction: Prediction) -> PredictResponse:
    """Convert the library's prediction for a product."""
    return PredictResponse(
        prediction_id=prediction_id(product, prediction.model_version),
        category=CategoryPath(**_place(prediction.category.path)),
        confidence=prediction.category.confidence,
        levels=[
            Level(id=level.category.id, name=level.category.name, confidence=level.confidence)
            for level in prediction.levels
        ],
        answer=_scored(prediction.answer) if prediction.answer else None,
        needs_review=prediction.needs_review,
        alternatives=[_scored(alternative) for alternative in prediction.alternatives],
        evidence=[EvidenceFragment(**asdict(fragment)) for fragment in prediction.evidence],
        model_version=prediction.model_version,
    )


def listed_category(entry: Entry, *, predicted: bool) -> ListedCategory:
    """Convert an entry of the library's taxonomy."""
    return ListedCategory(**_place(entry.path), products=entry.products, predicted=predicted)


def _scored(scored: Scored) -> ScoredCategory:
    return ScoredCategory(**_place(scored.path), confidence=scored.confidence)


def _place(path: CategoryNodes) -> dict[str, Any]:
    nodes = [CategoryNode(id=node.id, name=node.name) for node in path]
    return {"id": path[-1].id, "name": path[-1].name, "path": nodes}
