"""`aisle predict`: classify one product in the terminal."""

from typing import TYPE_CHECKING, Annotated

import typer

from aisle.cli.context import Context

if TYPE_CHECKING:
    from aisle.product import Prediction, Product


def predict(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The product's name.")] = "",
    description: Annotated[str, typer.Option(help="The product's description.")] = "",
    manufacturer: Annotated[str, typer.Option(help="The manufacturer or brand.")] = "",
    price: Annotated[float | None, typer.Option(min=0, help="The price.")] = None,
    top_k: Annotated[int, typer.Option(min=1, max=20, help="How many alternatives to show.")] = 5,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, in the API's format.")
    ] = False,
) -> None:
    """Classify one product: print its category path, confidences, evidence and alternatives.

    Give at least a name or a description.

    **Examples**

      aisle predict "GoPro - Camera Mount Accessory Kit - Black"

      aisle predict "Alkaline batteries" --description "AA; 4-pack" --price 5.49 --json
    """
    from aisle.checks import check
    from aisle.product import Product

    product = check(Product(name or None, description or None, manufacturer or None, price))
    options: Context = context.obj
    (prediction,) = options.classifier().predict([product], top_k=top_k)
    if as_json:
        from aisle.serving.predict.schemas import predict_response

        typer.echo(predict_response(product, prediction).model_dump_json())
    else:
        _print(product, prediction)


def _print(product: "Product", prediction: "Prediction") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for depth, level in enumerate(prediction.levels):
        name = f"{'  ' * depth}{level.category.name}  "
        console.print(Text.assemble(name, (f"{level.confidence:.1%}", "dim")))
    if prediction.needs_review:
        reason = (
            f"confident only of {prediction.answer.category.name}"
            if prediction.answer
            else "not confident of any level"
        )
        console.print(Text(f"Needs a review: {reason}.", "yellow"))

    for field in ("name", "description", "manufacturer"):
        value = getattr(product, field)
        if value:
            text = Text(value)
            for fragment in prediction.evidence:
                if fragment.field == field:
                    text.stylize("bold green", fragment.start, fragment.end)
            console.print(Text.assemble((f"{field}: ", "dim"), text))

    table = Table(title="Alternatives", title_justify="left", show_header=False, box=None)
    for alternative in prediction.alternatives:
        path = " > ".join(node.name for node in alternative.path)
        table.add_row(f"{alternative.confidence:.1%}", Text(path))
    console.print(table)
