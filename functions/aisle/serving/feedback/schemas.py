"""What goes over the wire of the feedback API."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError

from aisle.errors import InvalidProductError
from aisle.feedback.event import FeedbackEvent, NamedCategory, new_event
from aisle.product import PATH_SEPARATOR, Product
from aisle.serving.http.problems import FieldError
from aisle.serving.http.product import GOPRO, Input, ProductInput

MAX_FEEDBACK = 100

_LONGEST_NAME = 200
_DEEPEST = 20
_LONGEST_ID = (_LONGEST_NAME + len(PATH_SEPARATOR)) * _DEEPEST  # an id may be a path of names
_LONGEST_NOTE = 1_000
# Of a category that a model answered: a shop's own, however long its names are.
_LONGEST_PREDICTED = 20_000
_DEEPEST_PREDICTED = 100

# What a prediction's category has beside id and path.
_ANSWERED_TOO = ("name", "confidence")

_NOT_BLANK = r"\S"


class _Category(Input):
    """A category, by its id, by its path of names, or by both."""

    id: str | None = None
    path: list[str] | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if self.id is None and self.path is None:
            raise PydanticCustomError("category_missing", "give its 'id' or its 'path' of names")
        return self

    def named(self) -> NamedCategory:
        """Return it as an event keeps it."""
        return NamedCategory(self.id, tuple(self.path) if self.path else None)


class RightCategory(_Category):
    """A category, by its id, by its path of names, or by both. The model need not know it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "abcat0410022"}]})

    id: Annotated[
        str | None,
        Field(
            max_length=_LONGEST_ID, pattern=_NOT_BLANK, description="The shop's own id, exactly."
        ),
    ] = None
    path: Annotated[
        list[Annotated[str, Field(max_length=_LONGEST_NAME, pattern=_NOT_BLANK)]] | None,
        Field(min_length=1, max_length=_DEEPEST, description="Its names, root first."),
    ] = None


class PredictedCategory(_Category):
    """The category that the model had answered, by its id, by its path of names, or by both.

    A prediction's `category` may be sent as it was answered: of its nodes the names are taken.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "abcat0515013"}]})

    id: Annotated[
        str | None,
        Field(max_length=_LONGEST_PREDICTED, description="As the prediction's `category.id`."),
    ] = None
    path: Annotated[
        list[Annotated[str, Field(max_length=_LONGEST_PREDICTED)]] | None,
        Field(
            min_length=1,
            max_length=_DEEPEST_PREDICTED,
            description="The names of the prediction's `category.path`, root first.",
        ),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _as_answered(cls, said: Any) -> Any:  # noqa: ANN401  # whatever was sent
        """Reduce a prediction's `category` to id and names; leave anything else to the fields."""
        if not isinstance(said, dict):
            return said
        plain = {name: value for name, value in said.items() if name not in _ANSWERED_TOO}
        if isinstance(path := plain.get("path"), list):
            plain["path"] = [node.get("name") if isinstance(node, dict) else node for node in path]
        return plain


class FeedbackRequest(Input):
    """What a person says of a prediction: that it is right, or which category is.

    `category` is needed unless `right` is true. A confirmation says by `prediction_id` what was
    right, or by `category`.

    Only feedback that disagrees with what was predicted counts towards the next training run: where
    `category` names the same as `predicted`, it confirms the prediction, and is learnt from when a
    run comes. Without `predicted`, a server that has the model at hand asks it; elsewhere it stays
    unknown, and a `category` then counts as one that may disagree.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "product": GOPRO,
                    "category": {"id": "pcmcat329700050017"},
                    "predicted": {"id": "abcat0410022"},
                },
                {
                    "product": GOPRO,
                    "prediction_id": "e24dca6a3c5b9d85e75e772a",
                    "right": True,
                    "note": "Checked against the box.",
                },
                {"product": GOPRO, "category": {"path": ["Cameras & Camcorders", "Mounts"]}},
            ]
        }
    )

    product: Annotated[ProductInput, Field(description="As it was typed when it was asked about.")]
    prediction_id: Annotated[
        str | None,
        Field(pattern="^[0-9a-f]{24}$", description="The prediction that this is about."),
    ] = None
    right: Annotated[bool, Field(description="Whether the predicted category is right.")] = False
    category: Annotated[RightCategory | None, Field(description="The right category.")] = None
    predicted: Annotated[
        PredictedCategory | None,
        Field(
            description=(
                "What the model had answered: the prediction's `category`, as it is or by its id "
                "and names. Where it names neither the id nor the path that `category` has, a "
                "server that has the model asks it. It is no part of what is said: the same "
                "feedback with or without it is the same."
            )
        ),
    ] = None
    note: Annotated[
        str | None, Field(max_length=_LONGEST_NOTE, description="Why, for whoever reviews it.")
    ] = None

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if self.category is None and not self.right:
            raise PydanticCustomError(
                "feedback_empty", "say which 'category' is right, or that 'right' is true"
            )
        if self.category is None and self.prediction_id is None:
            raise PydanticCustomError(
                "confirmation_of_nothing",
                "say what is right: give the 'prediction_id', or the 'category'",
            )
        return self

    def asked(self) -> Product:
        """Return the product; raise InvalidProductError where it could not be asked about."""
        try:
            return self.product.product()
        except InvalidProductError as error:
            raise InvalidProductError(str(error), field=f"product.{error.field}") from None

    def said_predicted(self) -> NamedCategory | None:
        """Return what the client says that was predicted."""
        return self.predicted.named() if self.predicted else None

    def may_disagree(self) -> bool:
        """Tell whether it depends on the model what this says.

        It does where a category is named that is not said to be the predicted one, and what the
        client says of that, if anything, cannot be compared with it: an id with a path.
        """
        if self.right or self.category is None:
            return False
        predicted = self.said_predicted()
        return predicted is None or self.category.named().same_as(predicted) is None

    def event(
        self, *, client: str, now: datetime, predicted: NamedCategory | None = None
    ) -> FeedbackEvent:
        """Return what is said as an event.

        `predicted` is what the model was asked for, and goes before what the client says. Raises
        InvalidProductError where the product is none that could be asked about.
        """
        return new_event(
            self.asked(),
            client=client,
            now=now,
            right=self.right,
            category=self.category.named() if self.category else None,
            predicted=predicted or self.said_predicted(),
            prediction_id=self.prediction_id,
            note=self.note,
        )


class _Unchecked:
    """Describe a list's items as feedback, but let anything pass: each is checked by itself."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: object, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(FeedbackRequest.__pydantic_core_schema__)


class FeedbackBatchRequest(Input):
    """What a person says of many predictions."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"feedback": [{"product": GOPRO, "category": {"id": "pcmcat329700050017"}}]}
            ]
        }
    )

    feedback: Annotated[
        list[Annotated[Any, _Unchecked]], Field(min_length=1, max_length=MAX_FEEDBACK)
    ]


FeedbackId = Annotated[
    str,
    Field(
        description="64 hexadecimal digits: the SHA-256 of who said what of which product.",
        pattern="^[0-9a-f]{64}$",
    ),
]
Status = Annotated[
    Literal["recorded", "known"],
    Field(description="`known` where the same was said already on the same day (UTC)."),
]


class _Output(BaseModel):
    model_config = ConfigDict(frozen=True)


class FeedbackResponse(_Output):
    """That the feedback is kept."""

    feedback_id: FeedbackId
    status: Status


class FeedbackKept(_Output):
    """One piece of feedback of a batch that is kept."""

    status: Status
    id: FeedbackId


class FeedbackProblem(_Output):
    """Why one piece of feedback of a batch was not kept."""

    type: str = Field(examples=["/problems/invalid-input"])
    title: str
    status: int = Field(description="The status it would have had by itself.", examples=[422])
    detail: str = Field(description="What is wrong, and what to do.")
    errors: list[FieldError] = Field(
        description="The fields that cannot be used, where it is about fields."
    )


class FeedbackFailed(_Output):
    """One piece of feedback of a batch that was not kept."""

    status: Literal["failed"]
    problem: FeedbackProblem


class FeedbackBatchResponse(_Output):
    """What became of each piece of feedback, in their order."""

    results: list[FeedbackKept | FeedbackFailed]
