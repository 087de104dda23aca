"""The model card: what a model is, for whoever meets its bundle without its shop."""

from typing import Any

from aisle.model.bundle import Bundle
from aisle_training.fit.fit import Choice


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
    taken = f"{choice.inverse_regularization:g} and {choice.min_products}"
    return f"""# Model {manifest.model_version}

Product text to shop category, in stages. Linear support vector machines for every node of the
taxonomy read words, word pairs, character n-grams, manufacturer, price and a vector put together
from word pieces; a class's score adds up its ancestors', and softmax makes probabilities of the
scores. {_second_stage(choice)}

- Trained on snapshot `{manifest.dataset["snapshot"]}` ({products["train"]} products to train on and
  {products["validation"]} for validation, together in the final fit), tested once on
  {products["test"]} that it never saw.
- {len(metrics["levels"])} levels; vocabulary collected over {manifest.documents} products.
- The vectors of word pieces are what all-MiniLM-L6-v2 (Apache-2.0) makes of each piece alone,
  reduced and not trained here.
- Libraries: {", ".join(f"{name} {number}" for name, number in sorted(manifest.libraries.items()))}.

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

Taken: {taken}: the better regularisation, and with it the
fewest products that are as good as the best number but for noise.

## Limits

It knows the categories of its snapshot and no others; a category with few products is answered less
surely than its confidence on the whole suggests. Text in a language that the snapshot does not have
is answered by manufacturer, price and chance.
"""


def _second_stage(choice: Choice) -> str:
    before, after = choice.linear_log_loss, choice.reranked_log_loss
    if before is None or after is None:
        return "There is no second stage."
    if after >= before:
        return f"""A second stage did not help (log loss on products not seen {after:.3f} with it,
{before:.3f} without) and was left out."""
    return f"""LightGBM then shares out the probability of the best few anew, by how common
they are, how reliable their SVMs are, which products resemble this one, and how likely
their products are to have its words, manufacturer and price. On products that neither stage had
seen, that took the log loss from {before:.3f} to {after:.3f}."""
