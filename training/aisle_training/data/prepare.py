"""Stage 2, prepare: a snapshot -> cleaned products, split, with the categories they are in."""

import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from aisle.errors import DataError, ObjectNotFoundError
from aisle.normalize import NORMALIZER_VERSION, normalize
from aisle.product import Category, Path, Product
from aisle.progress import say, track
from aisle.store import Store, layout
from aisle_training import parameters
from aisle_training.data.ingest import Snapshot, SnapshotRow, compress, json_lines, put_once

Split = Literal["train", "validation", "test", "heldout"]
# Of one description, beyond which it is boilerplate: more than colours times sizes of one product.
_MOST_NAMES = 100
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_PARTS: tuple[Split, ...] = (*SPLITS, "heldout")


@dataclass(frozen=True, slots=True)
class Example:
    """A cleaned product and the path that its shop gave it; `group` is the hash of its text."""

    product: Product
    path: Path
    group: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A snapshot made ready: its examples by split, and the hash that names its test.

    `heldout` is what people newly said of products on the test's side: not learnt from, and no part
    of the test, which has each product as its shop labelled it and never moves.
    """

    id: str
    snapshot_id: str
    snapshot_sha256: str
    test_sha256: str
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    heldout: tuple[Example, ...] = ()


def clean(product: Product) -> Product:
    """Return a product with its texts as the model reads them; training and serving share this.

    Cleaning twice is the same as cleaning once, so a model may be given either.
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
    """Clean and split a snapshot with its rows, save the result to the store, and return it."""
    own_test = snapshot.test_products > 0
    cleaned = [
        (row, clean(row.labelled.product))
        for row in track(rows, "cleaning", total=snapshot.products)
    ]
    usable = [(row, one) for row, one in cleaned if one.name or one.description]
    if len(usable) < len(cleaned):
        empty = len(cleaned) - len(usable)
        say(f"{empty} products have no letter or digit in their text and were left out.")

    # What people said must not move the shop's products: its own texts alone are counted.
    boilerplate = boilerplate_of(product for row, product in usable if not row.feedback)
    splits: dict[Split, list[Example]] = {name: [] for name in _PARTS}
    told: list[tuple[SnapshotRow, Example]] = []
    for row, product in usable:
        group = group_of(product, boilerplate=boilerplate)
        example = Example(product, row.labelled.path, group)
        if row.feedback:
            told.append((row, example))
            continue
        split = "test" if row.test else split_of(group, settings, test=not own_test)
        if split == "test" or not row.replaced:
            splits[split].append(example)
    if own_test:
        known = {example.group for name in SPLITS[:2] for example in splits[name]}
        both = sum(example.group in known for example in splits["test"])
        say(f"{both} of {len(splits['test'])} test products have a text that is also in the data.")
    splits["heldout"] = _learn_from(told, splits, settings)

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


def _learn_from(
    told: Sequence[tuple[SnapshotRow, Example]],
    splits: Mapping[Split, list[Example]],
    settings: parameters.PrepareParameters,
) -> list[Example]:
    """Add what people said to train and validation; return what is new on the test's side."""
    tested = {example.group for example in splits["test"]}
    heldout, kept_apart = [], 0
    for row, example in told:
        split = "test" if example.group in tested else split_of(example.group, settings)
        if split != "test":
            splits[split].append(example)
            continue
        kept_apart += 1
        if row.feedback == "new":
            heldout.append(example)
    if told:
        say(
            f"Of {len(told)} products that people said something of, {kept_apart} are on the "
            f"test's side: they are not learnt from. {len(heldout)} of them are new, for the gate."
        )
    return heldout


def _unify_names(splits: dict[Split, list[Example]]) -> None:
    """Give each category one name, its commonest: catalogues spell one id in several ways."""
    names: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name in _PARTS:
        for example in splits[name]:
            for node in example.path:
                names[node.id][node.name] += 1
    one = {
        own: Category(own, min(found, key=lambda name: (-found[name], name)))
        for own, found in names.items()
    }
    for name in _PARTS:
        splits[name] = [
            replace(example, path=tuple(one[node.id] for node in example.path))
            for example in splits[name]
        ]


def group_of(product: Product, *, boilerplate: Collection[str] = ()) -> str:
    """Return the hash of a cleaned product's text: of the longer of name and description.

    Variants of one product share their description, so they share their group; a name that says
    more than the description does is what tells products apart. So it does where the description is
    `boilerplate`.
    """
    name, description = product.name or "", product.description or ""
    text = name if name and description in boilerplate else max(name, description, key=len)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def boilerplate_of(products: Iterable[Product]) -> frozenset[str]:
    """Return the descriptions that stand below too many names to be one product's.

    Only the products of such a description can change sides as data grows, once, when its names
    become too many; grouped by it, half a catalogue could be one group.
    """
    names: defaultdict[str, set[str]] = defaultdict(set)
    for product in products:
        if product.name and product.description:
            names[product.description].add(product.name)
    return frozenset(text for text, found in names.items() if len(found) > _MOST_NAMES)


def split_of(group: str, settings: parameters.PrepareParameters, *, test: bool = True) -> Split:
    """Return the split of a group; without `test`, its share goes to train."""
    place = int(group[:8], 16) / 2**32
    if place >= 1 - settings.test_share:
        return "test" if test else "train"
    if place >= 1 - settings.test_share - settings.validation_share:
        return "validation"
    return "train"


def canonical_paths(paths: Sequence[Path]) -> dict[str, Path]:
    """Return one path for each category id: the most frequent, the first by ids among equals."""
    seen: defaultdict[str, Counter[Path]] = defaultdict(Counter)
    for path in paths:
        seen[path[-1].id][path] += 1
    return {
        own: min(found, key=lambda path: (-found[path], [node.id for node in path]))
        for own, found in seen.items()
    }


def fold_rare(products: Mapping[Path, int], min_products: int) -> dict[Path, Path]:
    """Return the class that each labelled path is trained as.

    `products` counts the products labelled exactly so. A path with fewer than `min_products` joins
    its nearest ancestor that has enough, counting all below it, and the root if none has.
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
    # A category that others joined is a class, so its own few products need not go further up.
    classes = set(folded.values())
    return {path: path if path in classes else found for path, found in folded.items()}


def new_feedback(rows: Iterable[SnapshotRow]) -> list[Example]:
    """Return the products of a snapshot that people newly said something of."""
    found = [row.labelled for row in rows if row.feedback == "new"]
    cleaned = [(clean(one.product), one.path) for one in found]
    return [Example(product, path, group_of(product)) for product, path in cleaned]


def read_prepared(store: Store, prepared_id: str) -> Prepared:
    """Read what `prepare` saved; raise DataError where it has saved nothing under this id."""
    try:
        manifest = store.get(layout.prepared(prepared_id, "manifest.json")).data
    except ObjectNotFoundError as error:
        raise DataError(
            f"There is no prepared set {prepared_id} in {store.url}. Expected the id that the "
            "prepare stage printed."
        ) from error
    facts = json.loads(manifest)
    examples = {
        name: tuple(
            _example(json.loads(line))
            for line in gzip.decompress(
                store.get(layout.prepared(prepared_id, f"{name}.jsonl.gz")).data
            ).splitlines()
        )
        for name in _PARTS
    }
    return Prepared(
        id=facts["id"],
        snapshot_id=facts["snapshot_id"],
        snapshot_sha256=facts["snapshot_sha256"],
        test_sha256=facts["test_sha256"],
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
    """Hash a set of examples, whatever their order."""
    lines = sorted(f"{one.group} {[node.id for node in one.path]}" for one in examples)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _json(data: Any) -> bytes:  # noqa: ANN401  # plain data of any shape
    return json.dumps(data, indent=2, sort_keys=True).encode()
