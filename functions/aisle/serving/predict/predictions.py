"""The routes that classify products."""

from typing import Any, Final

from fastapi import APIRouter, Depends
from pydantic import ValidationError

from aisle.errors import InvalidProductError
from aisle.model.classifier import Classifier
from aisle.product import Prediction, Product
from aisle.serving.http.access import Requires
from aisle.serving.http.body import JsonRoute
from aisle.serving.http.problems import INVALID_INPUT, OF_A_JSON_BODY, FieldError, documented
from aisle.serving.http.product import ProductInput
from aisle.serving.http.telemetry import Telemetry, TelemetryDep
from aisle.serving.http.validation import field_errors, summary
from aisle.serving.predict.dependencies import ClassifierDep
from aisle.serving.predict.schemas import (
    DEFAULT_TOP_K,
    BatchFailure,
    BatchRequest,
    BatchResponse,
    BatchSuccess,
    PredictRequest,
    PredictResponse,
    ProductProblem,
    predict_response,
)

TAG: Final = "predictions"

router = APIRouter(
    prefix="/v1/predict",
    tags=[TAG],
    route_class=JsonRoute,
    dependencies=[Depends(Requires("predict"))],
    responses=documented(*OF_A_JSON_BODY),
)


@router.post("", summary="Classify a product", response_description="The prediction.")
def predict(
    request: PredictRequest, classifier: ClassifierDep, telemetry: TelemetryDep
) -> PredictResponse:
    """Return the category that a product belongs in, the confidence and the evidence for it."""
    product = request.product()
    top_k = request.top_k or DEFAULT_TOP_K
    (prediction,) = _predict(classifier, [product], top_k, telemetry)
    return predict_response(product, prediction)


@router.post(
    "/batch",
    summary="Classify up to a hundred products",
    response_description="A prediction or an error for each product, in the order of the request.",
)
def predict_batch(
    request: BatchRequest, classifier: ClassifierDep, telemetry: TelemetryDep
) -> BatchResponse:
    """Return one result for each product, in order.

    A result is a `prediction`, or an `error` if the product cannot be used. An error does not
    affect the other products.
    """
    top_k = request.top_k or DEFAULT_TOP_K
    checked = [_check(index, item) for index, item in enumerate(request.products)]
    products = [item for item in checked if isinstance(item, Product)]
    predictions = iter(_predict(classifier, products, top_k, telemetry) if products else ())
    return BatchResponse(
        results=[
            BatchSuccess(prediction=predict_response(item, next(predictions)))
            if isinstance(item, Product)
            else item
            for item in checked
        ]
    )


def _predict(
    classifier: Classifier, products: list[Product], top_k: int, telemetry: Telemetry
) -> list[Prediction]:
    predictions = classifier.predict(products, top_k=top_k)
    telemetry.count("Predictions", len(predictions), model_version=classifier.model_version)
    telemetry.measure("Confidence", *(prediction.category.confidence for prediction in predictions))
    telemetry.measure(
        "NeedsReview", *(float(prediction.needs_review) for prediction in predictions)
    )
    return predictions


def _check(index: int, item: Any) -> Product | BatchFailure:  # noqa: ANN401  # whatever was sent
    try:
        return ProductInput.model_validate(item).product()
    except ValidationError as error:
        errors = field_errors(error.errors(include_url=False), whole="product")
    except InvalidProductError as error:
        errors = (FieldError(field=error.field, detail=str(error)),)
    problem = ProductProblem(
        type=INVALID_INPUT.type,
        title=INVALID_INPUT.title,
        status=INVALID_INPUT.status,
        detail=summary(errors),
        index=index,
        errors=list(errors),
    )
    return BatchFailure(error=problem)
