// The model: what it is, how good it is, and how it was chosen.

import { ApiError, ask, askIfThere, events } from "./api.js";
import { chart, table } from "./charts.js";
import { debounce, field, h, put } from "./dom.js";
import { bones } from "./result.js";
import { decimal, exact, moment, percent, plural, whole } from "./format.js";
import { live, progress } from "./live.js";

const ENOUGH = 50;
const AT_ONCE = 12;
const CHECKED = { true: "good", false: "bad" };
const as = (text) => text ?? "–";
const named = (path) => [path.at(-1), path.length > 1 ? h("span", { class: "path soft small" }, path.slice(0, -1).join(" › ")) : ""];

export const title = "The model";

export function view(_parameters, signal) {
  const body = h("div", { class: "stack" });
  const load = () => show(body, signal);
  events.addEventListener("model", ({ detail }) => { if (!detail.first) load(); }, { signal });
  load();
  return h("div", null,
    h("div", { class: "lead" },
      h("h1", null, "The model"),
      h("p", null, "The model in use, how accurate it is on products it has never seen, and which models were accepted or refused.")),
    body);
}

async function show(body, signal) {
  put(body, h("div", { class: "card" }, bones()));
  try {
    const model = await ask("GET", "v1/model", { signal });
    const [report, models, peers] = await Promise.all([
      askIfThere(`v1/models/${encodeURIComponent(model.version)}/report`, { signal }).catch(unlessAborted(signal)),
      askIfThere("v1/models", { signal }).catch(unlessAborted(signal)),
      comparison(signal),
    ]);
    if (signal.aborted) return;
    put(body, tiles(model), learning(signal), figures(model), pictures({ ...model.metrics, ...report?.metrics, ...report }), competition(peers), states(models), history(models), categories(report?.categories ?? report?.metrics?.categories), facts(model));
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof ApiError)) throw error;
    put(body, h("section", { class: "card tight", role: "alert" }, h("h2", null, "The model cannot be shown"), h("p", null, error.message),
      h("div", null, h("button", { type: "button", class: "button", onclick: () => show(body, signal) }, "Try again"))));
  }
}

const unlessAborted = (signal) => (error) => {
  if (signal.aborted) throw error;
  return null;
};

/** The figures of `aisle compare`, if the file is beside the page. */
async function comparison(signal) {
  try {
    const response = await fetch("comparison.json", { signal });
    return response.ok ? await response.json() : null;
  } catch (error) {
    return unlessAborted(signal)(error);
  }
}

const tested = (model) => model.metrics.test ?? model.metrics;

function tiles(model) {
  const test = tested(model);
  const products = model.dataset.products ?? {};
  const list = [
    [model.version, "version", true],
    [whole(model.labels), `categories it can predict, ${plural(model.levels, "level")} deep`],
    [whole((products.train ?? 0) + (products.validation ?? 0)), "products it learned from"],
    test.levels?.length ? [exact(test.levels[0].accuracy), "correct at the first level"] : null,
    test.leaf ? [exact(test.leaf.accuracy), "correct in the final category"] : null,
    Number.isFinite(test.calibration_error) ? [exact(test.calibration_error), "average gap between confidence and accuracy"] : null,
  ];
  return h("dl", { class: "tiles" }, list.filter(Boolean).map(([value, name, text]) =>
    h("div", { class: "tile" }, h("dt", null, name), h("dd", { class: text ? "any" : "num" }, value))));
}

function learning(signal) {
  const place = h("section", { class: "card", hidden: true, "aria-label": "Learning" });
  const draw = () => {
    const next = progress();
    place.hidden = !next;
    if (next) put(place, h("div", { class: "tight" }, h("h2", null, "The next model"), next));
  };
  live.addEventListener("change", draw, { signal });
  draw();
  return place;
}

function figures(model) {
  const test = tested(model);
  if (!test.levels?.length) return null;
  const rows = test.levels.filter((level) => level.rows >= ENOUGH);
  const rest = test.levels.length - rows.length;
  return h("section", { class: "card stack" },
    h("div", { class: "tight" }, h("h2", null, "How often it is right"),
      h("p", { class: "soft" }, `On the ${plural(test.rows, "product")} of the frozen test, which were set aside before the first training and are never used for training.`)),
    h("ol", { class: "others" }, rows.map((level) =>
      h("li", null, h("span", null, `Level ${level.level}`, h("span", { class: "path" }, `${plural(level.labels, "category", "categories")}, ${plural(level.rows, "product")}, macro-F1 ${decimal(level.macro_f1)}`)),
        h("span", { class: "num" }, exact(level.accuracy)),
        h("span", { class: "meter", "aria-hidden": "true" }, h("i", { vars: { share: level.accuracy } }))))),
    rest > 0 && h("p", { class: "soft small" }, `${plural(rest, "deeper level")} with fewer than ${ENOUGH} products each ${rest === 1 ? "is" : "are"} left out here.`));
}

function pictures({ reliability, coverage }) {
  const charts = [];
  if (reliability?.length) {
    charts.push(chart({
      title: "Does the confidence mean what it says?", about: "How often the model was right, by its confidence. On the dotted line, 80% confidence is right 80 times in 100.",
      points: reliability, x: ["confidence", "confidence"], y: ["right", "accuracy"], ideal: true,
      columns: [["Confidence", "confidence"], ["Right", "accuracy"], ["Products", "products", whole]],
    }));
  }
  if (coverage?.length) {
    charts.push(chart({
      title: "How much can pass without review?", about: "If only the most confident predictions pass without review: how often they are right, by the share of products that pass.",
      points: coverage, x: ["share of the products", "coverage"], y: ["right", "precision"],
      columns: [["Products", "coverage"], ["Right", "precision"], ["Confidence at least", "threshold"]],
    }));
  }
  return charts.length ? h("div", { class: "cols even" }, charts) : null;
}

function competition(peers) {
  const results = peers?.tables?.find((entry) => entry.candidates?.length);
  if (!results) return null;
  const megabytes = (bytes) => (Number.isFinite(bytes) ? `${(bytes / 1e6).toFixed(1)} MB` : "–");
  return h("section", { class: "card stack" },
    h("div", { class: "tight" }, h("h2", null, "Compared with other models"),
      h("p", { class: "soft" }, `All models were trained and tested on the same splits, each tested on products it had not seen: ${plural(peers.data?.products ?? 0, "product")}, ${results.inputs === "text" ? "name and description" : "with manufacturer and price"}, ${plural(results.classes, "category", "categories")}${results.unfolded ? "" : " and “other”"}.${peers.about?.date ? ` Measured on ${peers.about.date}, ${peers.about.machine}.` : ""}`)),
    table([["", "title", as], ["Accuracy", "accuracy"], ["Macro-F1", "macro_f1", decimal], ["Calibration error", "calibration_error"], ["One product", (row) => row.costs?.p50_ms, (ms) => (Number.isFinite(ms) ? `${ms.toFixed(2)} ms` : "–")], ["Size", (row) => row.costs?.size_bytes, megabytes]],
      results.candidates, { caption: "Aisle and other models", mark: (row) => row.name === peers.shipped }));
}

function categories(list) {
  if (!list?.length) return null;
  const place = h("div", { class: "stack" });
  const input = h("input", { type: "search", autocomplete: "off" });
  const draw = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matches = list.filter((category) => words.every((word) => category.path.join(" ").toLowerCase().includes(word)));
    put(place,
      h("p", { class: "soft small", role: "status" }, matches.length > AT_ONCE ? `The first ${AT_ONCE} of ${whole(matches.length)}` : `${whole(matches.length)} found`),
      matches.length ? table([["Category", (row) => row.path, named], ["In the test", "products", whole], ["Precision", "precision"], ["Recall", "recall"], ["F1", "f1", decimal]], matches.slice(0, AT_ONCE), { caption: "Accuracy by category" }) : null);
  };
  input.addEventListener("input", debounce(draw, 100));
  draw();
  return h("section", { class: "card stack" }, h("h2", null, "Category by category"), field("Search", input, "Any words of the path"), place);
}

/** The list of models, with their states as the API names them. */
function states(models) {
  if (!models?.history?.length) return null;
  return h("section", { class: "card stack" },
    h("div", { class: "tight" }, h("h2", null, "All models"),
      h("p", { class: "soft" }, "All models that were published or refused, newest first.")),
    table([["Version", "version", as], ["State", "state", as], ["Accuracy", "accuracy"], ["Created", "created_at", (at) => (at ? moment(at) : "–")]],
      models.models, { caption: "Models and their states", mark: (row) => row.state === "current" }));
}

function history(models) {
  const records = models?.history ?? [];
  if (!models) return null;
  const tags = { promoted: "good", refused: "bad", "rolled back": "warn" };
  return h("section", { class: "card stack" },
    h("h2", null, "Promotions and refusals"),
    records.length
      ? h("ol", { class: "events" }, records.map((record) => h("li", null,
        h("div", { class: "row" }, h("span", { class: `tag ${tags[record.event] ?? ""}` }, record.event), h("strong", { class: "any" }, record.version), h("span", { class: "soft small" }, [moment(record.at), record.who].filter(Boolean).join(", "))),
        record.why && h("p", { class: "small any" }, record.why),
        reportOf(record))))
      : h("p", { class: "soft" }, "None yet: the model that came with Aisle is in use. The result of the first training on corrections will appear here, accepted or refused."));
}

function reportOf({ version }) {
  const place = h("div", { class: "stack" });
  const details = h("details", { ontoggle: async () => {
    if (!details.open || place.childElementCount) return;
    put(place, h("span", { class: "spin" }));
    try {
      const report = await askIfThere(`v1/models/${encodeURIComponent(version)}/report`);
      put(place, report ? summary(report) : h("p", { class: "soft small" }, "There is no report for it."));
    } catch (error) {
      put(place, h("p", { class: "note bad" }, error.message));
    }
  } }, h("summary", null, "Report"), place);
  return details;
}

function summary(report) {
  const before = report.champion?.test ?? report.champion;
  const now = report.metrics?.test ?? report.metrics;
  const rows = [];
  const add = (name, get) => {
    const [was, is] = [before && get(before), now && get(now)];
    if (Number.isFinite(is)) rows.push({ name, was, is });
  };
  for (const at of [0, 1, 2]) add(`correct at level ${at + 1}`, (metrics) => metrics.levels?.[at]?.accuracy);
  add("correct in the final category", (metrics) => metrics.leaf?.accuracy);
  add("macro-F1", (metrics) => metrics.leaf?.macro_f1);
  add("calibration error", (metrics) => metrics.calibration_error);
  return [
    report.why && h("p", { class: "small any" }, report.why),
    rows.length && table([["On the frozen test", "name", as], ...(before ? [["The model before", "was"]] : []), ["This model", "is"]], rows, { caption: "Figures" }),
    report.checks?.length && h("ul", { class: "tight small" }, report.checks.map((check) => h("li", { class: "row" }, h("span", { class: `tag ${CHECKED[check.passed] ?? ""}` }, check.passed === null ? "not checked" : check.passed ? "passed" : "failed"), h("span", { class: "any" }, `${check.name}${check.detail ? `: ${check.detail}` : ""}`)))),
    !rows.length && !report.why && h("p", { class: "soft small" }, "The report has no figures that this page can show."),
  ].filter(Boolean);
}

function facts(model) {
  const { products = {}, snapshot } = model.dataset;
  const sure = model.answer_thresholds.map((threshold, at) => (threshold <= 1 ? `level ${at + 1} from ${percent(threshold)}` : null)).filter(Boolean);
  const list = [
    ["Data", [snapshot && `snapshot ${snapshot}`, ...Object.entries(products).map(([name, count]) => `${name} ${whole(count)}`)].filter(Boolean).join(", ")],
    ["Minimum confidence to answer", sure.join(", ")],
    ["Trained with", Object.entries(model.libraries).map((library) => library.join(" ")).join(", ")],
  ];
  return h("section", { class: "card stack" }, h("h2", null, "How it was made"),
    h("dl", { class: "tight" }, list.filter(([, text]) => text).map(([name, text]) => h("div", null, h("dt", { class: "soft small" }, name), h("dd", { class: "any" }, text)))));
}
