"""Stage 2, prepare: a snapshot -> normalized products in train, validation and test splits."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from aisle.errors import DataError, ObjectNotFoundError
from aisle.normalize import NORMALIZER_VERSION, normalize
from aisle.product import Category, Path, Product
from aisle.progress import say, track
from aisle.store import Store, layout
from aisle.store.typed import parse
from aisle_training import parameters
from aisle_training.data.ingest import (
    Snapshot,
    SnapshotRow,
    compress,
    json_lines,
    put_once,
    read_json_lines,
)

Split = Literal["train", "validation", "test", "heldout"]
# A description under more names than this is boilerplate: one product has fewer variants.
_MOST_NAMES = 100
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_PARTS: tuple[Split, ...] = (*SPLITS, "heldout")
_PREPARE_AGAIN: Final = "Delete it, then run the prepare stage again."


@dataclass(frozen=True, slots=True)
class Example:
    """A normalized product and the path that labels it; `group` is the hash of its text."""

    product: Product
    path: Path
    group: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A snapshot's examples by split, and the hash that identifies the test split.

    `heldout` is new feedback on products that hash to the test split. Nothing learns from it, and
    it is no part of the test, which keeps the shop's labels and never changes.
    """

    id: str
    snapshot_id: str
    snapshot_sha256: str
    test_sha256: str
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    heldout: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class _Manifest:
    """What `read_prepared` needs of a manifest."""

    id: str
    snapshot_id: str
    snapshot_sha256: str
    test_sha256: str


_MANIFEST: Final = TypeAdapter(_Manifest)


def clean(product: Product) -> Product:
    """Return a product with normalized texts, as the model reads them in training and serving.

    It is idempotent, so a model may be given a cleaned product or a raw one.
    """
    return Product(
        name=normalize(product.name) or None,
        description=normalize(product.description) or None,
        manufacturer=normalize(product.manufacturer) or None,
        price=product.price,
    )


def prepare(
    store: Store,
    snapshot: Snapshot,
    rows: Iterable[SnapshotRow],
    settings: parameters.PrepareParameters,
) -> Prepared:
    """Clean and split the rows of a snapshot, save the result to the store, and return it."""
    own_test = snapshot.test_products > 0
    cleaned = [
        (row, clean(row.labelled.product))
        for row in track(rows, "cleaning", total=snapshot.products)
    ]
    usable = [(row, product) for row, product in cleaned if product.name or product.description]
    if len(usable) < len(cleaned):
        empty = len(cleaned) - len(usable)
        say(f"{empty} products have no letter or digit in their text and are left out.")

    # Only the shop's own texts count: feedback must not move the shop's products between splits.
    boilerplate = boilerplate_of(product for row, product in usable if not row.feedback)
    splits: dict[Split, list[Example]] = {name: [] for name in _PARTS}
    feedback: list[tuple[SnapshotRow, Example]] = []
    for row, product in usable:
        group = group_of(product, boilerplate=boilerplate)
        example = Example(product, row.labelled.path, group)
        if row.feedback:
            feedback.append((row, example))
            continue
        split = "test" if row.test else split_of(group, settings, test=not own_test)
        if split == "test" or not row.replaced:
            splits[split].append(example)
    if own_test:
        known = {example.group for name in SPLITS[:2] for example in splits[name]}
        shared = sum(example.group in known for example in splits["test"])
        say(
            f"{shared} of {len(splits['test'])} test products have a text that is also in the data."
        )
    splits["heldout"] = _add_feedback(feedback, splits, settings)

    _unify_names(splits)
    contents = {name: _lines(splits[name]) for name in _PARTS}
    identity = hashlib.sha256(f"{snapshot.sha256} {NORMALIZER_VERSION}".encode())
    for content in contents.values():
        identity.update(hashlib.sha256(content).digest())
    prepared = Prepared(
        id=identity.hexdigest()[:12],
        snapshot_id=snapshot.id,
        snapshot_sha256=snapshot.sha256,
        test_sha256=_identity(splits["test"]),
        train=tuple(splits["train"]),
        validation=tuple(splits["validation"]),
        test=tuple(splits["test"]),
        heldout=tuple(splits["heldout"]),
    )
    _save(store, prepared, contents, settings)
    return prepared


def _add_feedback(
    feedback: Sequence[tuple[SnapshotRow, Example]],
    splits: Mapping[Split, list[Example]],
    settings: parameters.PrepareParameters,
) -> list[Example]:
    """Add feedback to train and validation; return the new feedback that hashes to the test."""
    tested = {example.group for example in splits["test"]}
    heldout, excluded = [], 0
    for row, example in feedback:
        split = "test" if example.group in tested else split_of(example.group, settings)
        if split != "test":
            splits[split].append(example)
            continue
        excluded += 1
        if row.feedback == "new":
            heldout.append(example)
    if feedback:
        say(
            f"Of {len(feedback)} products with feedback, {excluded} belong to the test split, and "
            f"nothing learns from them. {len(heldout)} of these are new: the gate uses them."
        )
    return heldout


def _unify_names(splits: dict[Split, list[Example]]) -> None:
    """Give each category its most common name: catalogues spell the name of an id in many ways."""
    names: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name in _PARTS:
        for example in splits[name]:
            for node in example.path:
                names[node.id][node.name] += 1
    categories = {
        category_id: Category(category_id, min(counts, key=lambda name: (-counts[name], name)))
        for category_id, counts in names.items()
    }
    for name in _PARTS:
        splits[name] = [
            replace(example, path=tuple(categories[node.id] for node in example.path))
            for example in splits[name]
        ]


def group_of(product: Product, *, boilerplate: Collection[str] = ()) -> str:
    """Return the hash of the longer of a cleaned product's name and description.

    Variants of one product share their description, so they share their group. A name that is
    longer than the description identifies the product better, as any name does where the
    description is `boilerplate`.
    """
    name, description = product.name or "", product.description or ""
    text = name if name and description in boilerplate else max(name, description, key=len)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def boilerplate_of(products: Iterable[Product]) -> frozenset[str]:
    """Return the descriptions that appear under too many names to describe one product.

    Grouping by such a description could put half a catalogue into one group. When a description
    becomes boilerplate as data grows, its products may change splits, this once.
    """
    names: defaultdict[str, set[str]] = defaultdict(set)
    for product in products:
        if product.name and product.description:
            names[product.description].add(product.name)
    return frozenset(text for text, above in names.items() if len(above) > _MOST_NAMES)


def split_of(group: str, settings: parameters.PrepareParameters, *, test: bool = True) -> Split:
    """Return the split of a group; without `test`, the test's share goes to train."""
    position = int(group[:8], 16) / 2**32  # uniform in [0, 1)
    if position >= 1 - settings.test_share:
        return "test" if test else "train"
    if position >= 1 - settings.test_share - settings.validation_share:
        return "validation"
    return "train"


def canonical_paths(paths: Sequence[Path]) -> dict[str, Path]:
    """Return one path for each category id: its most frequent, the first by ids in a tie."""
    counts_of: defaultdict[str, Counter[Path]] = defaultdict(Counter)
    for path in paths:
        counts_of[path[-1].id][path] += 1
    return {
        category_id: min(counts, key=lambda path: (-counts[path], [node.id for node in path]))
        for category_id, counts in counts_of.items()
    }


def fold_rare(products: Mapping[Path, int], min_products: int) -> dict[Path, Path]:
    """Return the class that each labelled path is trained as.

    `products` counts the products with exactly this path. A path with fewer than `min_products`
    joins its nearest ancestor that has enough, counting all products below it, or else the root.
    """
    below: Counter[Path] = Counter()
    for path, count in products.items():
        for depth in range(1, len(path) + 1):
            below[path[:depth]] += count
    folded = {}
    for path, count in products.items():
        end = len(path)
        if count < min_products:
            end = max(1, end - 1)
            while end > 1 and below[path[:end]] < min_products:
                end -= 1
        folded[path] = path[:end]
    # A category that others join is a class, so its own few products stay in it.
    classes = set(folded.values())
    return {path: path if path in classes else ancestor for path, ancestor in folded.items()}


def new_feedback(rows: Iterable[SnapshotRow]) -> list[Example]:
    """Return the products of a snapshot with new feedback, labelled by it."""
    labelled = [row.labelled for row in rows if row.feedback == "new"]
    cleaned = [(clean(row.product), row.path) for row in labelled]
    return [Example(product, path, group_of(product)) for product, path in cleaned]


def read_prepared(store: Store, prepared_id: str) -> Prepared:
    """Read what `prepare` saved.

    Raises DataError where there is no such prepared set, MalformedObjectError where it is damaged.
    """
    key = layout.prepared(prepared_id, "manifest.json")
    try:
        data = store.get(key).data
    except ObjectNotFoundError as error:
        raise DataError(
            f"There is no prepared set {prepared_id} in {store.url}. Expected the id that the "
            "prepare stage printed. Check it, or run the prepare stage first."
        ) from error
    manifest = parse(key, data, _MANIFEST, advice=_PREPARE_AGAIN)
    examples = {}
    for name in _PARTS:
        part = layout.prepared(prepared_id, f"{name}.jsonl.gz")
        rows = read_json_lines(part, store.get(part).data, _example, advice=_PREPARE_AGAIN)
        examples[name] = tuple(rows)
    return Prepared(
        id=manifest.id,
        snapshot_id=manifest.snapshot_id,
        snapshot_sha256=manifest.snapshot_sha256,
        test_sha256=manifest.test_sha256,
        train=examples["train"],
        validation=examples["validation"],
        test=examples["test"],
        heldout=examples["heldout"],
    )


def _lines(examples: Iterable[Example]) -> bytes:
    return json_lines(
        {
            **asdict(example.product),
            "category": [asdict(node) for node in example.path],
            "group": example.group,
        }
        for example in examples
    )


def _save(
    store: Store,
    prepared: Prepared,
    contents: Mapping[Split, bytes],
    settings: parameters.PrepareParameters,
) -> None:
    for name, content in contents.items():
        put_once(store, layout.prepared(prepared.id, f"{name}.jsonl.gz"), compress(content))
    examples = {name: getattr(prepared, name) for name in _PARTS}
    counts = {name: Counter(example.path for example in rows) for name, rows in examples.items()}
    paths = sorted(set().union(*counts.values()), key=lambda path: [node.id for node in path])
    taxonomy = [
        {
            "path": [asdict(node) for node in path],
            "products": {name: counts[name][path] for name in _PARTS},
        }
        for path in paths
    ]
    put_once(store, layout.prepared(prepared.id, "taxonomy.json"), _json(taxonomy))
    facts = {
        "id": prepared.id,
        "snapshot_id": prepared.snapshot_id,
        "snapshot_sha256": prepared.snapshot_sha256,
        "test_sha256": prepared.test_sha256,
        "parameters": asdict(settings),
        "normalizer_version": NORMALIZER_VERSION,
        "products": {name: len(rows) for name, rows in examples.items()},
        "categories": len(paths),
    }
    put_once(store, layout.prepared(prepared.id, "manifest.json"), _json(facts))


def _example(row: dict[str, Any]) -> Example:
    path = tuple(Category(**node) for node in row.pop("category"))
    group = row.pop("group")
    return Example(Product(**row), path, group)


def _identity(examples: Sequence[Example]) -> str:
    """Return a hash of a set of examples that does not depend on their order."""
    lines = sorted(f"{example.group} {[node.id for node in example.path]}" for example in examples)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _json(data: Any) -> bytes:  # noqa: ANN401  # plain data of any shape
    return json.dumps(data, indent=2, sort_keys=True).encode()
