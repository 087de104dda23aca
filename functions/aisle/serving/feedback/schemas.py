"""The request and response schemas of the feedback API."""

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
# A predicted category is the shop's own, however long its names are.
_LONGEST_PREDICTED = 20_000
_DEEPEST_PREDICTED = 100

# What a prediction's category has besides id and path.
_OTHER_FIELDS = ("name", "confidence")

_NOT_BLANK = r"\S"


class _Category(Input):
    """A category, named by its id, by its path of names, or by both."""

    id: str | None = None
    path: list[str] | None = None

    @model_validator(mode="after")
    def _has_id_or_path(self) -> Self:
        if self.id is None and self.path is None:
            raise PydanticCustomError("category_missing", "give its 'id' or its 'path' of names")
        return self

    def named(self) -> NamedCategory:
        """Return the category as an event stores it."""
        return NamedCategory(self.id, tuple(self.path) if self.path else None)


class RightCategory(_Category):
    """A category, named by its id, its path of names, or both. It may be new to the model."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "abcat0410022"}]})

    id: Annotated[
        str | None,
        Field(
            max_length=_LONGEST_ID,
            pattern=_NOT_BLANK,
            description="The shop's own id, spelled exactly.",
        ),
    ] = None
    path: Annotated[
        list[Annotated[str, Field(max_length=_LONGEST_NAME, pattern=_NOT_BLANK)]] | None,
        Field(min_length=1, max_length=_DEEPEST, description="The names of the path, root first."),
    ] = None


class PredictedCategory(_Category):
    """The category that the model predicted, named by its id, its path of names, or both.

    A prediction's `category` may be sent unchanged.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "abcat0515013"}]})

    id: Annotated[
        str | None,
        Field(max_length=_LONGEST_PREDICTED, description="The prediction's `category.id`."),
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
    def _reduce_prediction(cls, sent: Any) -> Any:  # noqa: ANN401  # whatever was sent
        """Reduce a prediction's `category` to id and names; the fields validate everything else."""
        if not isinstance(sent, dict):
            return sent
        plain = {name: value for name, value in sent.items() if name not in _OTHER_FIELDS}
        if isinstance(path := plain.get("path"), list):
            plain["path"] = [node.get("name") if isinstance(node, dict) else node for node in path]
        return plain


class FeedbackRequest(Input):
    """A person's feedback on a prediction: that it is right, or which category is right.

    `category` is required unless `right` is true. With `right`, `prediction_id` or `category` says
    what is confirmed.

    Only feedback that disagrees with the prediction counts towards the next training job. If
    `category` and `predicted` name the same category, the feedback confirms the prediction; the
    next job still learns from it. Without `predicted`, a server with the model predicts again; on
    other servers the prediction stays unknown, and a `category` counts as a disagreement.
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

    product: Annotated[
        ProductInput, Field(description="The product as it was sent for prediction.")
    ]
    prediction_id: Annotated[
        str | None,
        Field(
            pattern="^[0-9a-f]{24}$",
            description="The id of the prediction that the feedback is about.",
        ),
    ] = None
    right: Annotated[bool, Field(description="True if the predicted category is right.")] = False
    category: Annotated[RightCategory | None, Field(description="The right category.")] = None
    predicted: Annotated[
        PredictedCategory | None,
        Field(
            description=(
                "The category that the model predicted: the prediction's `category`, unchanged or "
                "reduced to its id and names. If it cannot be compared with `category` (one has "
                "only an id, the other only a path), a server with the model predicts again. It is "
                "not part of the feedback's identity: sent again without it, the feedback is still "
                "the same."
            )
        ),
    ] = None
    note: Annotated[
        str | None,
        Field(
            max_length=_LONGEST_NOTE,
            description="A reason, for the person who reviews the feedback.",
        ),
    ] = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.category is None and not self.right:
            raise PydanticCustomError(
                "feedback_empty", "give the right 'category', or set 'right' to true"
            )
        if self.category is None and self.prediction_id is None:
            raise PydanticCustomError(
                "confirmation_of_nothing",
                "say which prediction is right: give its 'prediction_id' or its 'category'",
            )
        return self

    def checked_product(self) -> Product:
        """Return the product; raise InvalidProductError if it cannot be classified."""
        try:
            return self.product.product()
        except InvalidProductError as error:
            raise InvalidProductError(str(error), field=f"product.{error.field}") from None

    def stated_prediction(self) -> NamedCategory | None:
        """Return the predicted category as the client states it."""
        return self.predicted.named() if self.predicted else None

    def may_disagree(self) -> bool:
        """Tell whether only the model can say if this feedback agrees with the prediction.

        That is so if the client names a category and either states no predicted category or one
        that cannot be compared with it (an id with a path).
        """
        if self.right or self.category is None:
            return False
        predicted = self.stated_prediction()
        return predicted is None or self.category.named().same_as(predicted) is None

    def event(
        self, *, client: str, now: datetime, predicted: NamedCategory | None = None
    ) -> FeedbackEvent:
        """Return the feedback as an event.

        `predicted` is the model's own answer; it takes precedence over what the client states.
        Raises InvalidProductError if the product cannot be classified.
        """
        return new_event(
            self.checked_product(),
            client=client,
            now=now,
            right=self.right,
            category=self.category.named() if self.category else None,
            predicted=predicted or self.stated_prediction(),
            prediction_id=self.prediction_id,
            note=self.note,
        )


class _Unchecked:
    """Describe a list's items as feedback, but accept anything: each is validated separately."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: object, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(FeedbackRequest.__pydantic_core_schema__)


class FeedbackBatchRequest(Input):
    """A person's feedback on many predictions."""

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
        description="64 hexadecimal digits: the SHA-256 of client, product and statement.",
        pattern="^[0-9a-f]{64}$",
    ),
]
Status = Annotated[
    Literal["recorded", "known"],
    Field(description="`known` if the same feedback was recorded earlier that day (UTC)."),
]


class _Output(BaseModel):
    model_config = ConfigDict(frozen=True)


class FeedbackResponse(_Output):
    """The confirmation that the feedback is stored."""

    feedback_id: FeedbackId
    status: Status


class FeedbackKept(_Output):
    """A piece of feedback in a batch that was stored."""

    status: Status
    id: FeedbackId


class FeedbackProblem(_Output):
    """The reason why a piece of feedback in a batch was not stored."""

    type: str = Field(examples=["/problems/invalid-input"])
    title: str
    status: int = Field(
        description="The HTTP status it would get in a request of its own.", examples=[422]
    )
    detail: str = Field(description="What is wrong, and what to do about it.")
    errors: list[FieldError] = Field(
        description="The fields at fault, if the problem is about fields."
    )


class FeedbackFailed(_Output):
    """A piece of feedback in a batch that was not stored."""

    status: Literal["failed"]
    problem: FeedbackProblem


class FeedbackBatchResponse(_Output):
    """One result for each piece of feedback, in the order of the request."""

    results: list[FeedbackKept | FeedbackFailed]
