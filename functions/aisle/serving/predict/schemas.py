"""What goes over the wire: pydantic models around the library's own types."""

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
    Field(ge=0, le=1, description="How sure the model is, from 0 to 1."),
    # What single precision has, and no digits that only look like it.
    AfterValidator(lambda value: round(value, 6)),
]
TopK = Annotated[
    int | None,
    Field(ge=1, le=20, description="How many alternatives to name, at most. Null counts as 5."),
]


class PredictRequest(ProductInput):
    """A product to classify."""

    model_config = ConfigDict(json_schema_extra={"examples": [GOPRO | {"top_k": 3}]})

    top_k: TopK = DEFAULT_TOP_K


class _Unchecked:
    """Describe a list's items as products, but let anything pass: each is checked by itself."""

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
        description="The shop's own id, or the path of names where it has none.",
        examples=["abcat0400000"],
    )
    name: str = Field(examples=["Cameras & Camcorders"])


NodePath = Annotated[
    list[CategoryNode],
    Field(description="From the root down to the category itself.", min_length=1),
]


class CategoryPath(CategoryNode):
    """A category with its place in the taxonomy."""

    path: NodePath


class Level(CategoryNode):
    """One level of the predicted category's path."""

    confidence: Confidence


class ScoredCategory(CategoryPath):
    """A category, its place in the taxonomy, and how sure the model is of it."""

    confidence: Confidence


class EvidenceFragment(_Output):
    """A fragment of the product's text that spoke for the predicted category.

    `start` and `end` count Unicode code points of the field as it was sent, from 0, `end`
    excluded. JavaScript counts UTF-16 units instead: there, take
    `Array.from(text).slice(start, end).join("")`.
    """

    field: Literal["name", "description", "manufacturer"]
    start: int = Field(ge=0, examples=[0])
    end: int = Field(ge=1, examples=[5])
    text: str = Field(examples=["GoPro"])
    weight: float = Field(
        ge=0, le=1, description="Its share of all that spoke for the category.", examples=[0.31]
    )


class PredictResponse(_Output):
    """What the model says of a product."""

    prediction_id: str = Field(
        description=(
            "24 hexadecimal digits. The same product asked of the same model has the same id: it "
            "is the beginning of the SHA-256 of the model's version, a line feed, and the "
            "product's fields as JSON (sorted, without spaces or nulls, the price as a float)."
        ),
        pattern="^[0-9a-f]{24}$",
    )
    category: CategoryPath = Field(description="The deepest best category, sure or not.")
    confidence: Confidence
    levels: list[Level] = Field(
        description=(
            "Every level of the category's path, root first. A level's confidence is that of "
            "everything below it together."
        )
    )
    answer: ScoredCategory | None = Field(
        description="The deepest level that is sure enough to show, or null where none is."
    )
    needs_review: bool = Field(description="Whether the answer stops short of the category.")
    alternatives: list[ScoredCategory] = Field(
        description="The next best categories, best first; not the predicted one's ancestors."
    )
    evidence: list[EvidenceFragment] = Field(
        description="The fragments that spoke for the category, heaviest first."
    )
    model_version: str = Field(description="The model that predicted.")


class BatchSuccess(_Output):
    """The result of a product that could be classified."""

    prediction: PredictResponse


class ProductProblem(_Output):
    """Why one product of a batch could not be classified."""

    type: str = Field(examples=["/problems/invalid-input"])
    title: str
    status: int = Field(description="The status it would have had by itself.", examples=[422])
    detail: str = Field(description="What is wrong, and what to do.")
    index: int = Field(ge=0, description="The product's place in the batch, from 0.")
    errors: list[FieldError] = Field(description="The fields that cannot be used.", min_length=1)


class BatchFailure(_Output):
    """The result of a product that could not be classified."""

    error: ProductProblem


class BatchResponse(_Output):
    """A result for each product, in their order."""

    results: list[BatchSuccess | BatchFailure]


class CategoriesQuery(BaseModel):
    """Which categories to list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: str = Field(
        default="",
        max_length=200,
        description="Words that the path must have; the last may be begun. Empty for all.",
        examples=["camera acc"],
    )
    limit: int = Field(default=20, ge=1, le=100, description="How many to return, at most.")
    offset: int = Field(default=0, ge=0, description="How many to pass over.")


class ListedCategory(CategoryPath):
    """A category that the model has seen."""

    products: int = Field(ge=0, description="How many products it was seen with.")
    predicted: bool = Field(
        description="Whether the model can predict it; where not, it predicts an ancestor."
    )


class CategoriesResponse(_Output):
    """A page of categories, best match first."""

    items: list[ListedCategory]
    total: int = Field(ge=0, description="How many there are on all pages together.")
    next_offset: int | None = Field(description="The next page's offset; null on the last one.")


class ModelResponse(_Output):
    """What the model is and how good it is."""

    version: str = Field(description="Derived from its content: another version, another model.")
    normalizer_version: int = Field(description="The version of the text normalisation.")
    labels: int = Field(ge=1, description="How many categories it can predict.")
    categories: int = Field(ge=0, description="How many categories it has seen.")
    levels: int = Field(ge=1, description="How deep the predicted paths go.")
    answer_thresholds: list[float] = Field(
        description=(
            "The confidence from which a level is shown as the answer, root first; a level whose "
            "threshold is above 1 is never shown."
        )
    )
    metrics: dict[str, Any] = Field(description="What was measured on its frozen test.")
    dataset: dict[str, Any] = Field(description="The snapshot it was trained on.")
    libraries: dict[str, str] = Field(description="The versions it was trained with.")


class HealthResponse(_Output):
    """Whether predictions can be had."""

    status: Literal["ok"]
    model_version: str = Field(description="The model that serves.")


def predict_response(product: Product, prediction: Prediction) -> PredictResponse:
    """Translate the library's prediction of a product."""
    return PredictResponse(
        prediction_id=prediction_id(product, prediction.model_version),
        category=CategoryPath(**_place(prediction.category.path)),
        confidence=prediction.category.confidence,
        levels=[
            Level(id=each.category.id, name=each.category.name, confidence=each.confidence)
            for each in prediction.levels
        ],
        answer=_scored(prediction.answer) if prediction.answer else None,
        needs_review=prediction.needs_review,
        alternatives=[_scored(each) for each in prediction.alternatives],
        evidence=[EvidenceFragment(**asdict(each)) for each in prediction.evidence],
        model_version=prediction.model_version,
    )


def listed_category(entry: Entry, *, predicted: bool) -> ListedCategory:
    """Translate an entry of the library's taxonomy."""
    return ListedCategory(**_place(entry.path), products=entry.products, predicted=predicted)


def _scored(scored: Scored) -> ScoredCategory:
    return ScoredCategory(**_place(scored.path), confidence=scored.confidence)


def _place(path: CategoryNodes) -> dict[str, Any]:
    nodes = [CategoryNode(id=node.id, name=node.name) for node in path]
    return {"id": path[-1].id, "name": path[-1].name, "path": nodes}
