"""`aisle compare` on a made-up shop: every candidate, the report, and resuming."""

import io
import json
import random
import subprocess
import sys
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest

from aisle.catalogue.columns import Columns
from aisle.catalogue.labelled import read_labelled
from aisle.cli.main import main
from aisle.errors import DataError
from aisle.store import open_store
from aisle_benchmark import protocol, results
from aisle_benchmark.candidates import CANDIDATES, PEERS
from aisle_benchmark.candidates.finetuned import bucketed
from aisle_benchmark.measures import macro_auc
from aisle_benchmark.plan import make_plan
from aisle_benchmark.research import SECTIONS, chance
from aisle_benchmark.running import run as running
from aisle_benchmark.running import worker
from aisle_benchmark.running.run import run
from aisle_benchmark.running.worker import Task
from aisle_training.release.measure import OTHER
from tests.made_up import products, write_catalogue

CHEAP = ("naive-bayes", "mlp")
ROWS = list(products(330))


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Write a shop's catalogue."""
    return write_catalogue(tmp_path_factory.mktemp("shop") / "shop.jsonl.gz", ROWS)


@pytest.fixture(scope="module")
def catalogue(shop):
    """Read it for the comparison."""
    return protocol.make_catalogue(list(read_labelled(shop)))


@pytest.fixture(scope="module")
def desk(catalogue, tmp_path_factory):
    """Give the function that runs one candidate on fold 0 in this process, and its results."""
    folder = tmp_path_factory.mktemp("desk")
    joblib.dump(catalogue, folder / worker.CATALOGUE)
    store = open_store((folder / "store").as_uri())

    def work(name, inputs="attributes"):
        worker.run(Task(store.url, str(folder), name, inputs, 0, (9, 4)))
        tables = [protocol.make_table(catalogue, minimum, inputs) for minimum in (9, 4)]
        keys = [results.result_key(catalogue.id, CANDIDATES[name], table, 0) for table in tables]
        return tables, [results.load(store, key) for key in keys]

    return work


@pytest.fixture
def desk_of_rare(catalogue, tmp_path):
    """Give the function that runs one candidate on departments, and two lone shelves in training.

    The departments are large enough for the MLP to hold a part out and stop early.
    """
    lone = np.flatnonzero(catalogue.folds != 0)[:2]
    rare = protocol.make_catalogue(
        [
            row if at in lone else replace(row, path=row.path[:1], ids=row.ids[:1])
            for at, row in enumerate(catalogue.rows)
        ]
    )
    assert Counter(Counter(rare.labels).values())[1] == len(lone)
    joblib.dump(rare, tmp_path / worker.CATALOGUE)
    store = open_store((tmp_path / "store").as_uri())

    def work(name):
        worker.run(Task(store.url, str(tmp_path), name, "text", 0, (protocol.UNFOLDED,)))
        table = protocol.make_table(rare, protocol.UNFOLDED, "text")
        return results.load(store, results.result_key(rare.id, CANDIDATES[name], table, 0))

    return work


@pytest.fixture
def aisle(tmp_path, monkeypatch):
    """Give the function that runs the command line, with the store in a folder of the test."""
    for name, value in {"TERM": "dumb", "COLUMNS": "160", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)

    def type_in(*arguments):
        monkeypatch.setattr(sys, "argv", ["aisle", "--store", str(tmp_path / "store"), *arguments])
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
        return subprocess.CompletedProcess(
            sys.argv, ended.value.code or 0, out.getvalue(), err.getvalue()
        )

    return type_in


# The candidates.


@pytest.mark.filterwarnings("ignore")  # as in the worker: of others' libraries
@pytest.mark.parametrize("name", [name for name in PEERS if not CANDIDATES[name].members])
def test_every_candidate_fits(desk, research, name, catalogue):
    """Each candidate is better than guessing on a small shop, and reports all its costs."""
    research(*CANDIDATES[name].packages)
    tables, fold_results = desk(name)
    for table, result in zip(tables, fold_results, strict=True):
        true = table.targets([catalogue.labels[row] for row in result.rows])
        assert result.probabilities.shape == (len(true), len(table.classes))
        assert result.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-3)
        assert macro_auc(true, result.probabilities) > 0.65
        costs = result.costs
        assert min(costs.fit_seconds, costs.p50_ms, costs.batch_per_second) > 0
        assert costs.p99_ms >= costs.p50_ms
        assert costs.size_bytes > 1000
        assert costs.peak_bytes > 10_000_000


@pytest.mark.filterwarnings("ignore")
def test_vote_is_of_its_members(desk):
    """The vote's probabilities are the mean of its members' probabilities."""
    members = [desk(name, "text")[1][0] for name in CANDIDATES["voting"].members]
    _, (vote, _) = desk("voting", "text")
    expected = np.mean([member.probabilities for member in members], axis=0)
    assert vote.probabilities == pytest.approx(expected)
    assert vote.costs.fit_seconds == pytest.approx(
        sum(member.costs.fit_seconds for member in members)
    )


def test_fine_tuning_sees_every_product_once_an_epoch():
    """Batches hold each row once, with rows of similar length, in another order each time."""
    chance = random.Random(0)
    lengths = [5 + (7 * at) % 60 for at in range(100)]
    first, second = (list(bucketed(lengths, 8, chance)) for _ in range(2))
    assert sorted(row for batch in first for row in batch) == list(range(100))
    assert first != second
    spread = [
        max(lengths[row] for row in batch) - min(lengths[row] for row in batch) for batch in first
    ]
    assert max(spread) <= 12


def test_shared_work_is_counted_for_everyone(catalogue, tmp_path):
    """A candidate that uses features made by another has their time in its training time."""
    text = catalogue.products(np.arange(50), "text")
    first, second = (worker.Shared(tmp_path, text) for _ in range(2))
    first.tfidf()
    second.tfidf()
    assert second.seconds == first.seconds > 0
    assert (first.borrowed, second.borrowed) == (0, second.seconds)


# Running.


def test_finished_results_are_kept(catalogue, tmp_path, monkeypatch):
    """A second run computes the missing results and nothing else."""
    store = open_store((tmp_path / "store").as_uri())
    plan = make_plan(catalogue, candidates=CHEAP, folds=(0,), minima=(4,))
    run(plan, store, workers=2)
    before = {key: store.get(key).etag for key in store.list("comparisons/")}
    assert len(before) == 4
    gone = next(key for key in before if "mlp/4-text" in key)
    store.delete(gone)

    started = []
    popen = subprocess.Popen

    def count(command, **options):
        started.append(json.loads(Path(command[-1]).read_text(encoding="utf-8")))
        return popen(command, **options)

    monkeypatch.setattr(running.subprocess, "Popen", count)
    run(plan, store, workers=2)
    assert [(task["candidate"], task["inputs"]) for task in started] == [("mlp", "text")]
    after = {key: store.get(key).etag for key in store.list("comparisons/")}
    assert set(after) == set(before)
    assert all(after[key] == before[key] for key in before if key != gone)


def test_missing_package_leaves_a_candidate_out(catalogue, tmp_path, monkeypatch):
    """A candidate that is not installed is left out, with how to install it; the others run."""
    monkeypatch.setattr(type(CANDIDATES["mlp"]), "packages", {"no_such_module": "no-such-thing"})
    plan = make_plan(catalogue, candidates=CHEAP, folds=(0,), minima=(4,))
    outcome = run(plan, open_store((tmp_path / "store").as_uri()), workers=1)
    assert outcome.failed == {}
    assert "no-such-thing" in outcome.missing["mlp"]
    assert "make research" in outcome.missing["mlp"]


def test_members_join_the_plan(catalogue):
    """A plan with the vote has its members too."""
    plan = make_plan(catalogue, candidates=("voting",), folds=(0,), minima=(4,))
    assert plan.candidates == (*CANDIDATES["voting"].members, "voting")


def test_table_of_one_class_is_left_out(catalogue, capsys):
    """A threshold that leaves one class gives no table, but a message."""
    plan = make_plan(catalogue, candidates=CHEAP, folds=(0,), minima=(1000, 4))
    assert {table.min_products for table in plan.tables} == {4}
    assert "at least 1000" in capsys.readouterr().err


# The command.


@pytest.fixture(scope="module")
def chosen():
    """Give the options of a cheap comparison."""
    return (
        *("--only", "naive-bayes", "--only", "aisle", "--folds", "0,1", "--min-count", "4,9"),
        "--no-research",
    )


def test_report(shop, chosen, aisle, tmp_path):
    """The report has the four tables with every figure, the intervals, and its pictures."""
    result = aisle("compare", "--data", str(shop), *chosen, "--report", str(tmp_path / "report"))
    assert result.returncode == 0, result.stderr
    assert "naive-bayes" in result.stdout
    text = (tmp_path / "report" / "RESULTS.md").read_text(encoding="utf-8")
    brief = json.loads((tmp_path / "report" / "results" / "comparison.json").read_bytes())
    assert "aisle" in {row["name"] for row in brief["tables"][0]["candidates"]}
    assert all(row["costs"]["p50_ms"] > 0 for row in brief["tables"][0]["candidates"])
    scores = [row["macro_f1"] for row in brief["tables"][0]["candidates"]]
    assert scores == sorted(scores, reverse=True)
    assert "*" not in json.dumps([row["title"] for row in brief["tables"][0]["candidates"]])
    assert text.count("| **Aisle**, the exported bundle |") == 8
    for heading in ("macro-F1", "weighted F1", "log loss", "ECE", "p99, ms", "memory, MB"):
        assert heading in text
    assert text.count("Aisle minus each peer") == 4
    assert "level by level" in text
    assert "name only" in text
    assert f"compare --data {shop}" in text
    for line in text.splitlines():
        if line.startswith("!["):
            picture = tmp_path / "report" / line.partition("(")[2].rstrip(")")
            assert picture.read_bytes().startswith(b"\x89PNG")
    assert text.count("![") == 5

    store = open_store((tmp_path / "store").as_uri())
    kept = {key.rpartition("/")[2] for key in store.list("comparisons/") if "/report/" in key}
    assert {"compare.json", "RESULTS.md", "thresholds.png"} <= kept
    key = next(key for key in store.list("comparisons/") if key.endswith("compare.json"))
    figures = json.loads(store.get(key).data)
    assert len(figures["tables"]) == 4
    assert {row["name"] for row in figures["tables"][0]["candidates"]} == {"naive-bayes", "aisle"}
    assert figures["levels"]["text"][0]["level"] == 1


def test_small_shop_is_compared_unfolded(shop, aisle, tmp_path):
    """Where thresholds of 100 and 20 leave no classes, each input gets one unfolded table."""
    result = aisle(
        *("compare", "--data", str(shop), "--only", "naive-bayes", "--folds", "0"),
        *("--report", str(tmp_path / "report")),
    )
    assert result.returncode == 0, result.stderr
    assert "Only 0% of the products and 0% of the categories have classes of at least 20" in (
        result.stderr
    )
    assert "text, 40 classes, unfolded" in result.stdout
    report = (tmp_path / "report" / "RESULTS.md").read_text(encoding="utf-8")
    headings = [line for line in report.splitlines() if line.startswith("## ")]
    assert headings[:2] == [
        "## Name and description, unfolded: 40 classes",
        "## With manufacturer and price, unfolded: 40 classes",
    ]
    assert report.count("have classes of at least") == 2
    assert "A small shop is therefore compared unfolded" in report
    assert "100 products, attributes" not in report
    assert (tmp_path / "report" / "results" / "classes-unfolded.png").is_file()
    brief = json.loads((tmp_path / "report" / "results" / "comparison.json").read_bytes())
    assert [(summary["min_products"], summary["unfolded"]) for summary in brief["tables"]] == [
        (1, True)
    ] * 2
    key = next((tmp_path / "store" / "comparisons").glob("*/report/compare.json"))
    table = json.loads(key.read_bytes())["tables"][0]
    assert len(table["by_class"]) == 40
    assert OTHER not in {row["category"] for row in table["by_class"]}


def test_folding_that_was_asked_for_is_kept(catalogue, capsys):
    """Thresholds that the user gives are kept, however few classes they leave."""
    plan = make_plan(catalogue, candidates=CHEAP, folds=(0,), minima=(9,))
    assert {(table.min_products, table.unfolded) for table in plan.tables} == {(9, False)}
    assert plan.unfolded == ()
    assert "unfolded" not in capsys.readouterr().err


def test_one_category_is_nothing_to_compare(catalogue):
    """A catalogue of one category is refused, with what to do."""
    socks = [row for row in catalogue.rows if row.path[0].name == "Sport"][:60]
    same = [replace(row, path=socks[0].path, ids=socks[0].ids) for row in socks]
    with pytest.raises(DataError, match="nothing to compare: the 60 products have 1 categories"):
        make_plan(protocol.make_catalogue(same), candidates=CHEAP, folds=(0,))


@pytest.mark.filterwarnings("ignore")  # as in the worker: of others' libraries
@pytest.mark.parametrize("name", ["mlp", "lightgbm", "linear-svm", "logistic-regression"])
def test_lone_products_stop_nobody(desk_of_rare, name):
    """Peers that hold out a part of the training products also learn categories of one product."""
    assert desk_of_rare(name).probabilities.sum(axis=1) == pytest.approx(1, abs=1e-3)


def test_failing_candidate_fails_the_command(shop, aisle, tmp_path, monkeypatch):
    """A candidate that fails is named with its reason, and the command exits 2."""
    broken = "raise SystemExit('the engine is on fire')"
    monkeypatch.setattr(running, "WORKER", ["-c", broken])
    result = aisle(
        *("compare", "--data", str(shop), "--only", "naive-bayes", "--folds", "0"),
        *("--min-count", "4", "--no-research"),
    )
    assert result.returncode == 2
    assert "the engine is on fire" in result.stderr
    assert "naive-bayes, text, fold 0" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "bert"], "expected one of naive-bayes"),
        (["--folds", "5"], "from 0 to 4"),
        (["--folds", "0,0"], "each once"),
        (["--min-count", "many"], "whole numbers"),
        (["--workers", "0"], "--workers"),
        (["--data", "no-such-file.csv"], "no-such-file.csv"),
    ],
)
def test_bad_options(aisle, shop, arguments, message):
    """A bad option exits 2 and says what was expected."""
    result = aisle("compare", "--data", str(shop), *arguments)
    assert result.returncode == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_list(aisle):
    """Every candidate is listed."""
    result = aisle("compare", "--list")
    assert result.returncode == 0
    assert all(name in result.stdout for name in CANDIDATES)
    assert "docs/CANDIDATES.md" in result.stdout


def test_help_says_how_to_plug_a_model_in(aisle):
    """The help names the option, its form and its page; the report goes where the page looks."""
    result = aisle("compare", "--help")
    shown = " ".join(result.stdout.replace("│", " ").split())
    assert "--candidate MODULE:CLASS" in shown
    assert "docs/CANDIDATES.md" in shown
    assert "--report benchmark" in shown


def test_names_for_ids_and_own_columns(aisle, tmp_path):
    """A shop without ids and with its own column names is compared on its paths of names."""
    rows = [
        f"{row['name'] or row['description']};{'/'.join(node['name'] for node in row['category'])}"
        for row in products(240, ids=False)
    ]
    file = tmp_path / "shop.csv"
    file.write_text("title;aisle\n" + "\n".join(row.replace("&amp;", "and") for row in rows))
    result = aisle(
        *("compare", "--data", str(file), "--columns", "name=title,category=aisle"),
        *("--separator", "/", "--only", "naive-bayes", "--folds", "0", "--min-count", "5"),
    )
    assert result.returncode == 0, result.stderr
    assert "naive-bayes" in result.stdout


# Research.


@pytest.mark.filterwarnings("ignore")
def test_type_is_measured_where_a_shop_has_it(catalogue, tmp_path):
    """The column `type` is read for the usable rows, and the section says what it brings."""
    rows = [{**row, "type": "soft" if "Socks" in str(row["category"]) else None} for row in ROWS]
    file = write_catalogue(tmp_path / "shop.jsonl", [*rows[:3], {"name": "no category"}, *rows[3:]])
    types = protocol.read_types(file, Columns())
    assert len(types) == len(catalogue.rows)
    typed = protocol.make_catalogue(catalogue.rows, types)
    count = sum(row.path[-1].name == "Socks" for row in typed.rows)
    finding = SECTIONS["fields"].answer(typed)
    assert f"The type, which {count} of 330 products have" in finding.sentence
    assert "one field + type" in [row[0] for row in finding.rows]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_answers(catalogue, research, name, monkeypatch):
    """Each section gives a table and a sentence, on any shop."""
    research(*(module for module, _ in SECTIONS[name].packages))
    for module in [sys.modules[key] for key in sys.modules if "aisle_benchmark.research" in key]:
        monkeypatch.setattr(module, "MINIMA", (9, 4), raising=False)
    finding = SECTIONS[name].answer(catalogue)
    assert finding.rows
    assert all(len(row) <= len(finding.columns) for row in finding.rows)
    assert finding.sentence.endswith((".", "one."))


def test_other_folds_keep_variants_together(catalogue):
    """The assignments differ, the first is the tables' own, and none splits a group."""
    assignments = [*chance.assignments(catalogue).values()]
    assert assignments[0] is catalogue.folds
    assert len({folds.tobytes() for folds in assignments}) == len(assignments) > 2
    for folds in assignments:
        assert set(folds.tolist()) == set(range(protocol.FOLDS))
        pairs = set(zip(catalogue.groups, folds.tolist(), strict=True))
        assert len(pairs) == len(set(catalogue.groups))
