"""The model card: what a model is, for whoever meets its bundle without its shop."""

from typing import Any

from aisle.bundle import Bundle
from training.fit import Choice


def model_card(bundle: Bundle, choice: Choice, metrics: dict[str, Any]) -> str:
    """Return the card as Markdown; the same for the same bundle."""
    manifest = bundle.manifest
    products = manifest.dataset["products"]
    leaf = metrics["leaf"]
    levels = "\n".join(
        f"| {level['level']} | {level['rows']} | {level['labels']} | {level['accuracy']:.4f} "
        f"| {level['macro_f1']:.4f} | {level['weighted_f1']:.4f} |"
        for level in metrics["levels"]
    )
    candidates = "\n".join(
        f"| {one.inverse_regularization:g} | {one.min_products} | {one.node_accuracy:.4f} |"
        for one in choice.candidates
        if one.node_accuracy is not None
    )
    return f"""# Model {manifest.model_version}

Product text to shop category: linear support vector machines for every node of the taxonomy over
words, word pairs, character n-grams, manufacturer and price; a class's score adds up its
ancestors', weighted by what was learnt on products that the scorers had not seen; softmax.

- Trained on snapshot `{manifest.dataset["snapshot"]}` ({products["train"]} products to train on and
  {products["validation"]} for validation, together in the final fit), tested once on
  {products["test"]} that it never saw.
- {len(metrics["levels"])} levels; vocabulary collected over {manifest.documents} products.
- Libraries: {", ".join(f"{name} {number}" for name, number in manifest.libraries.items())}.

## On the frozen test

| level | products | categories | accuracy | macro-F1 | weighted F1 |
| ---: | ---: | ---: | ---: | ---: | ---: |
{levels}

Last category: accuracy {leaf["accuracy"]:.4f}, macro-F1 {leaf["macro_f1"]:.4f}
over {leaf["labels"]} categories. Expected calibration error
{metrics["calibration_error"]:.4f}.

## Chosen on the validation split

| inverse regularisation | least products of a class | right nodes |
| ---: | ---: | ---: |
{candidates}

Taken: {choice.inverse_regularization:g} and {choice.min_products}.

## Limits

It knows the categories of its snapshot and no others; a category with few products is answered less
surely than its confidence on the whole suggests. Text in a language that the snapshot does not have
is answered by manufacturer, price and chance.
"""
