"""A made-up shop: 40 categories in three levels, and products with the errors of real data.

Everything here is invented; the same seed gives the same catalogue.
"""

import gzip
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

# department -> shelf -> category -> nouns for its products
TREE: dict[str, dict[str, dict[str, list[str]]]] = {
    "Kitchen": {
        "Cookware": {
            "Frying Pans": ["frying pan", "skillet", "crepe pan"],
            "Saucepans": ["saucepan", "milk pan", "saucepan with lid"],
            "Woks": ["wok", "stir-fry pan"],
            "Baking Tins": ["cake tin", "muffin tray", "loaf tin"],
        },
        "Small Appliances": {
            "Kettles": ["electric kettle", "gooseneck kettle"],
            "Toasters": ["toaster", "two-slice toaster", "long-slot toaster"],
            "Blenders": ["blender", "hand blender", "smoothie maker"],
            "Coffee Machines": ["espresso machine", "filter coffee maker", "capsule machine"],
        },
        "Tableware": {
            "Plates": ["dinner plate", "side plate", "dessert plate"],
            "Mugs": ["mug", "coffee cup", "travel mug"],
            "Cutlery": ["cutlery set", "table fork", "steak knife"],
        },
    },
    "Garden": {
        "Hand Tools": {
            "Spades": ["digging spade", "border spade", "trenching shovel"],
            "Pruners": ["secateurs", "bypass pruner", "lopper"],
            "Rakes": ["leaf rake", "bow rake"],
        },
        "Watering": {
            "Hoses": ["garden hose", "soaker hose", "expanding hose"],
            "Watering Cans": ["watering can", "long-reach watering can"],
            "Sprinklers": ["oscillating sprinkler", "lawn sprinkler"],
        },
        "Plants": {
            "Seeds": ["tomato seeds", "basil seeds", "wildflower seed mix"],
            "Bulbs": ["tulip bulbs", "daffodil bulbs"],
            "Compost": ["potting compost", "peat-free compost", "seed compost"],
        },
    },
    "Sport": {
        "Cycling": {
            "Helmets": ["cycling helmet", "kids bike helmet"],
            "Lights": ["bike light set", "rear bike light", "front bike lamp"],
            "Pumps": ["floor pump", "mini bike pump"],
            "Tyres": ["road tyre", "mountain bike tyre", "inner tube"],
        },
        "Running": {
            "Running Shoes": ["running shoes", "trail running shoes"],
            "Socks": ["running socks", "compression socks"],
            "Head Torches": ["head torch", "running headlamp"],
        },
        "Camping": {
            "Tents": ["two-person tent", "family tent", "pop-up tent"],
            "Sleeping Bags": ["sleeping bag", "down sleeping bag"],
            "Stoves": ["camping stove", "gas burner"],
        },
    },
    "Office": {
        "Paper": {
            "Notebooks": ["notebook", "dotted journal", "spiral notebook"],
            "Envelopes": ["padded envelopes", "window envelopes"],
            "Labels": ["address labels", "thermal label roll"],
        },
        "Writing": {
            "Pens": ["ballpoint pen", "gel pen", "fountain pen"],
            "Pencils": ["pencil", "mechanical pencil", "colouring pencils"],
            "Markers": ["permanent marker", "whiteboard marker", "highlighter"],
        },
        "Desk": {
            "Desk Lamps": ["desk lamp", "LED desk light"],
            "Chairs": ["office chair", "ergonomic chair", "kneeling chair"],
            "Staplers": ["stapler", "heavy-duty stapler"],
            "Monitor Stands": ["monitor stand", "monitor arm"],
        },
    },
}

_MAKERS = ["Brindle & Co", "Ostra", "Halvard", "Nimbus", "Tarn", "Pellow", "Kestrelworks", "Mott"]
_COLOURS = ["black", "white", "red", "sage green", "navy", "silver", "sand"]
_SIZES = ["small", "medium", "large", "20 cm", "28 cm", "1.5 l", "2-pack", "set of 4", "XL"]
_PRAISE = [
    "built to last",
    "easy to clean",
    "lightweight and sturdy",
    "a favourite of our customers",
    "with a two-year guarantee",
    "made of recycled materials",
    "ideal as a gift",
]

# Shares of products that `messy` changes.
_MISTYPED, _MISPLACED, _REPEATED = 0.05, 0.01, 0.02


def category_path(department: str, shelf: str, category: str, *, ids: bool) -> list[dict[str, Any]]:
    """Return a category as catalogues write it, with or without ids."""
    names = [department, shelf, category]
    slugs = [" ".join(names[: depth + 1]).lower().replace(" ", "-") for depth in range(3)]
    return [
        {"id": slug if ids else None, "name": name} for slug, name in zip(slugs, names, strict=True)
    ]


def products(count: int, *, seed: int = 0, ids: bool = True) -> Iterator[dict[str, Any]]:
    """Yield made-up products with missing fields, in the schema of the open data set."""
    chance = random.Random(seed)
    leaves = [
        (department, shelf, category, nouns)
        for department, shelves in TREE.items()
        for shelf, categories in shelves.items()
        for category, nouns in categories.items()
    ]
    for number in range(count):
        department, shelf, category, nouns = leaves[number % len(leaves)]
        noun, maker = chance.choice(nouns), chance.choice(_MAKERS)
        colour, size = chance.choice(_COLOURS), chance.choice(_SIZES)
        model = f"{chance.choice('ABKX')}{chance.randrange(100, 999)}"
        name = chance.choice(
            [f"{maker} - {noun.title()} - {colour.title()}", f"{noun} {size} {model}", noun.upper()]
        )
        description = (
            f"{noun.capitalize()}, {colour}, {size}; {chance.choice(_PRAISE)}; "
            f"for {shelf.lower()}; {maker.replace('&', '&amp;')} {model}"
        )
        missing = chance.random()
        yield {
            "sku": 100_000 + number,
            "name": None if missing < 0.15 else name,
            "description": None if missing > 0.85 else description,
            "manufacturer": maker if chance.random() < 0.8 else None,
            "price": round(chance.uniform(2, 200), 2) if chance.random() < 0.9 else None,
            "category": category_path(department, shelf, category, ids=ids),
        }


# What the shop starts to sell: products with the words of pans that belong to coffee machines.
_FAMILY = ("Kitchen", "Small Appliances", "Coffee Machines")
_FAMILY_NOUNS = ["moka pot", "stovetop moka", "moka brewer", "three-chamber moka pot"]
_FAMILY_PRAISE = ["for every hob", "polished aluminium pot", "with heat-proof handle and lid"]


def family(count: int, *, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield distinct products of one family that is unlike anything in the catalogue."""
    chance = random.Random(f"family {seed}")
    for number in range(count):
        noun, maker = chance.choice(_FAMILY_NOUNS), chance.choice(_MAKERS)
        colour, praise = chance.choice(_COLOURS), chance.choice(_FAMILY_PRAISE)
        cups, model = chance.choice([1, 2, 3, 4, 6, 9, 12]), f"M{number + 100}"
        name = chance.choice(
            [
                f"{maker} - {noun.title()} {cups} Cups - {colour.title()} {model}",
                f"{noun} {model} {cups}-cup",
                f"{noun.upper()} {model}",
            ]
        )
        yield {
            "sku": 900_000 + number,
            "name": name,
            "description": f"{noun.capitalize()} {model}, {colour}, {cups} cups; {praise}; {maker}",
            "manufacturer": maker,
            "price": round(chance.uniform(12, 60), 2),
            "category": category_path(*_FAMILY, ids=True),
        }


def messy(rows: Iterable[dict[str, Any]], *, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield products with the errors of real catalogues: typos, duplicates, wrong categories."""
    chance = random.Random(f"messy {seed}")
    wrong_category = None
    for row in rows:
        product = dict(row)
        if product["name"] and chance.random() < _MISTYPED:
            position = chance.randrange(len(product["name"]))
            product["name"] = product["name"][:position] + product["name"][position + 1 :]
        if wrong_category and chance.random() < _MISPLACED:
            product["category"] = wrong_category
        if chance.random() < _MISPLACED:
            wrong_category = row["category"]
        yield product
        if chance.random() < _REPEATED:
            yield product | {"sku": product["sku"] + 500_000}


def write_catalogue(path: Path, rows: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> Path:
    """Write rows as JSON lines, compressed if the name ends in `.gz`; return the path."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path
