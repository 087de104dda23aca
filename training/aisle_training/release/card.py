"""The model card: describes a model to readers who have only its bundle."""

from typing import Any

from aisle.model.bundle import Bundle
from aisle_training.fit.fit import Choice


def model_card(bundle: Bundle, choice: Choice, metrics: dict[str, Any]) -> str:
    """Return the model card as Markdown; equal bundles give equal cards."""
    manifest = bundle.manifest
    products = manifest.dataset["products"]
    leaf = metrics["leaf"]
    levels = "\n".join(
        f"| {level['level']} | {level['rows']} | {level['labels']} | {level['accuracy']:.4f} "
        f"| {level['macro_f1']:.4f} | {level['weighted_f1']:.4f} |"
        for level in metrics["levels"]
    )
    candidates = "\n".join(
        f"| {candidate.inverse_regularization:g} | {candidate.min_products} "
        f"| {candidate.node_accuracy:.4f} |"
        for candidate in choice.candidates
        if candidate.node_accuracy is not None
    )
    selected = f"{choice.inverse_regularization:g} and {choice.min_products}"
    return f"""# Model {manifest.model_version}

Predicts a product's category in a shop's taxonomy, in stages. One-vs-rest linear support vector
machines, one for each node of the taxonomy, read words, word pairs, character n-grams,
manufacturer, price and a vector composed of word pieces. A class's score is a weighted sum of its
node's and its ancestors' scores; softmax turns the scores into probabilities.
{_second_stage(choice)}

- Trained on snapshot `{manifest.dataset["snapshot"]}`: {products["train"]} products to train on and
  {products["validation"]} to validate on, both in the final fit. Tested once, on {products["test"]}
  products that it never saw.
- {len(metrics["levels"])} levels; the vocabulary comes from {manifest.documents} products.
- The word-piece vectors are the embeddings of each piece alone by all-MiniLM-L6-v2 (Apache-2.0),
  reduced in dimension and not fine-tuned.
- Libraries: {", ".join(f"{name} {number}" for name, number in sorted(manifest.libraries.items()))}.

## On the frozen test

| level | products | categories | accuracy | macro-F1 | weighted F1 |
| ---: | ---: | ---: | ---: | ---: | ---: |
{levels}

Last category: accuracy {leaf["accuracy"]:.4f}, macro-F1 {leaf["macro_f1"]:.4f}
over {leaf["labels"]} categories. Expected calibration error
{metrics["calibration_error"]:.4f}.

## Model selection on the validation split

| inverse regularisation | fewest products of a class | node accuracy |
| ---: | ---: | ---: |
{candidates}

Selected: {selected}. Each is the smallest candidate that is as good as the best, within noise.

## Limits

It knows only the categories of its snapshot. Its confidence is calibrated over all products: in a
category with few products, it is less accurate than its confidence suggests. For text in a language
that the snapshot does not have, it can go only by manufacturer and price.
"""


def _second_stage(choice: Choice) -> str:
    before, after = choice.linear_log_loss, choice.reranked_log_loss
    if before is None or after is None:
        return "There is no second stage."
    if after >= before:
        return f"""A second stage did not help (log loss on held-out products: {after:.3f} with it,
{before:.3f} without) and was left out."""
    return f"""In a second stage, LightGBM redistributes the probability of the best few candidates
by how common they are, how reliable their linear scores are, which products are the nearest
neighbours, and naive Bayes over words, manufacturer and price. On products held out from both
stages, it reduced the log loss from {before:.3f} to {after:.3f}."""
