// A whole catalogue: a file in, a table with the products to review first, a file out.

import { ApiError, ask, insist, named, noticeModel, productOf } from "./api.js";
import { readTable, recognise, TableError, toCsv } from "./csv.js";
import { field, h, icon, put, toast } from "./dom.js";
import { duration, pathText, percent, plural, whole } from "./format.js";
import { lookOften } from "./live.js";
import { pickCategory } from "./picker.js";

const BATCH = 100;
const AT_ONCE = 2;
const PAGE = 50;
const FILTERS = { all: "All", review: "To review", sure: "Sure", corrected: "Corrected", failed: "Failed" };
const FIELDS = { name: "Name", description: "Description", manufacturer: "Manufacturer", price: "Price" };
const TOO_MANY = 200_000;

export const title = "A whole catalogue";

/** The loaded file; it is kept while other views are open. */
let job = null;

export function view(_parameters, signal) {
  const body = h("div", { class: "stack" });
  signal.addEventListener("abort", () => { if (job) job.draw = () => {}; });
  if (job) job.show(body);
  else put(body, chooser(body));
  return h("div", null,
    h("div", { class: "lead" },
      h("h1", null, "A whole catalogue"),
      h("p", null, "Drop a file of products. Each product gets a category, and those that a person should review come first. Only the corrections you make are stored.")),
    body);
}

function chooser(body, problem = "") {
  const input = h("input", { type: "file", class: "vh", tabindex: "-1", "aria-hidden": "true", accept: ".csv,.tsv,.txt,.json,.jsonl,.ndjson,.gz,text/csv,application/json", onchange: () => { if (input.files[0]) open(input.files[0], body); } });
  const zone = h("div", {
    class: "drop",
    ondragover: (event) => { event.preventDefault(); zone.classList.add("over"); },
    ondragleave: () => zone.classList.remove("over"),
    ondrop: (event) => {
      event.preventDefault();
      zone.classList.remove("over");
      const [file] = event.dataTransfer.files;
      if (file) open(file, body);
    },
  },
  icon("file"),
  h("h2", null, "Drop a CSV or JSON lines file here"),
  h("p", { class: "soft" }, "One product per row, with a header or field names. Thousands of rows are fine."),
  h("div", { class: "row" },
    h("button", { type: "button", class: "button main", onclick: () => input.click() }, "Choose a file"),
    h("button", { type: "button", class: "button", onclick: () => sample(body) }, "Use a sample")),
  input);
  return h("div", { class: "stack" }, problem && h("p", { class: "note bad any", role: "alert" }, problem), zone);
}

async function sample(body) {
  const { EXAMPLES } = await import("./examples.js");
  const rows = [["sku", ...Object.keys(FIELDS)], ...EXAMPLES.map((product, at) => [`S-${at + 1}`, ...Object.keys(FIELDS).map((name) => product[name] ?? "")])];
  await open(new File([toCsv(rows)], "sample.csv"), body);
}

async function open(file, body) {
  put(body, h("p", { class: "row", role: "status" }, h("span", { class: "spin" }), "Reading the file…"));
  try {
    const table = await readTable(file);
    if (table.rows.length > TOO_MANY) throw new TableError(`The file has ${whole(table.rows.length)} rows; this page takes at most ${whole(TOO_MANY)}. Use the command \`aisle classify\` instead.`);
    job = new Job(file.name, table);
    job.show(body);
  } catch (error) {
    if (!(error instanceof TableError)) throw error;
    put(body, chooser(body, `${file.name} cannot be used. ${error.message}`));
  }
}

class Job {
  constructor(name, table) {
    this.name = name;
    this.columns = table.columns;
    this.note = table.note;
    this.rows = table.rows.map((row, at) => ({ ...row, number: at + 1 }));
    this.mapping = recognise(table.columns);
    this.state = "mapping";
    this.filter = "all";
    this.page = 0;
    this.draw = () => {};
  }

  show(body) {
    this.body = body;
    this.draw = () => put(body, this.state === "mapping" ? this.choose() : this.results());
    this.draw();
    body.querySelector("h2")?.focus();
  }

  again() {
    this.stop?.abort();
    const { body } = this;
    job = null;
    put(body, chooser(body));
  }

  choose() {
    const problem = h("p", { class: "note bad", role: "alert", hidden: true }, "Choose the column with the name or the description.");
    const selects = Object.entries(FIELDS).map(([name, label]) => {
      const select = h("select", { onchange: () => { this.mapping[name] = select.value; this.draw(); } },
        h("option", { value: "" }, "none"), this.columns.map((column) => h("option", { value: column }, column)));
      select.value = this.mapping[name];
      return field(label, select);
    });
    return h("section", { class: "card stack" },
      h("div", { class: "tight" }, h("h2", { tabindex: "-1", class: "any" }, `${this.name}: ${plural(this.rows.length, "row")}`),
        h("p", { class: "soft" }, this.mapping.name || this.mapping.description ? "These columns were recognised. Change them if needed." : "No column was recognised. Choose them below."),
        this.note && h("p", { class: "soft small" }, this.note)),
      h("div", { class: "fields" }, selects),
      h("div", { class: "tight" }, h("h3", null, "The first rows, as Aisle will read them"), preview(this)),
      problem,
      h("div", { class: "row" },
        h("button", { type: "button", class: "button main", onclick: () => { if (this.mapping.name || this.mapping.description) this.start(); else problem.hidden = false; } }, `Classify ${plural(this.rows.length, "row")}`),
        h("button", { type: "button", class: "button", onclick: () => this.again() }, "Another file")));
  }

  product(row) {
    const text = (column) => {
      const value = column ? row.values[column] : undefined;
      return value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
    };
    return productOf({ ...Object.fromEntries(Object.keys(FIELDS).map((name) => [name, text(this.mapping[name])])) });
  }

  async start() {
    this.state = "running";
    this.stop = new AbortController();
    this.began = performance.now();
    this.before = this.done;
    this.draw();
    const { signal } = this.stop;
    const left = this.rows.filter((row) => !row.prediction && !row.error);
    const batches = [];
    for (let at = 0; at < left.length; at += BATCH) batches.push(left.slice(at, at + BATCH));
    const worker = async () => {
      for (let batch = batches.shift(); batch; batch = batches.shift()) await this.classify(batch, signal);
    };
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      this.state = "done";
    } catch (error) {
      this.stop.abort();
      this.state = "stopped";
      if (error instanceof ApiError) this.problem = error.message;
      else if (error.name !== "AbortError") throw error;
    } finally {
      this.waiting = "";
      this.seconds = (performance.now() - this.began) / 1000;
      this.sorted = null;
      this.draw();
      if (document.activeElement === document.body) this.body.querySelector("h2")?.focus();
    }
  }

  async classify(batch, signal) {
    this.problem = "";
    const answer = await insist("POST", "v1/predict/batch", {
      body: { products: batch.map((row) => this.product(row)), top_k: 3 },
      signal,
      waiting: (error) => { this.waiting = error ? "Waiting for the API; classification continues as soon as it responds." : ""; this.tick(); },
    });
    answer.results.forEach((result, at) => {
      if (result.prediction) {
        const { category, confidence, answer: shown, needs_review: review, model_version: model, prediction_id: id } = result.prediction;
        batch[at].prediction = { category, confidence, answer: shown, review, model, id };
      } else batch[at].error = result.error.detail;
    });
    const model = answer.results.find((result) => result.prediction)?.prediction.model_version;
    if (model) noticeModel(model);
    this.tick();
  }

  get done() {
    return this.rows.filter((row) => row.prediction || row.error).length;
  }

  /** Update the numbers without redrawing everything, so that a button keeps its focus. */
  tick() {
    if (!this.meter?.isConnected) return;
    const { done } = this;
    const seconds = (performance.now() - this.began) / 1000;
    const rate = (done - (this.before ?? 0)) / seconds;
    this.meter.value = done;
    this.count.textContent = `${whole(done)} of ${whole(this.rows.length)}`;
    this.rate.textContent = this.waiting || (rate > 0 ? `${whole(Math.round(rate))} a second, ${duration((this.rows.length - done) / rate)} left` : "");
  }

  results() {
    const { state } = this;
    if (state === "running") {
      this.meter = h("progress", { max: String(this.rows.length), value: "0", "aria-label": "Rows classified" });
      this.count = h("h2", { class: "num", tabindex: "-1" });
      this.rate = h("p", { class: "soft num" });
      queueMicrotask(() => this.tick());
      return h("section", { class: "card stack" },
        h("div", { class: "row between" }, this.count, this.rate), this.meter,
        h("div", null, h("button", { type: "button", class: "button", onclick: () => this.stop.abort(new DOMException("cancelled", "AbortError")) }, "Cancel")));
    }
    const counts = this.counts();
    return [
      h("section", { class: "card stack" },
        h("div", { class: "row between" },
          h("div", { class: "tight" },
            h("h2", { tabindex: "-1", class: "any" }, state === "stopped" ? `Stopped at ${whole(this.done)} of ${plural(this.rows.length, "row")}` : `${plural(this.rows.length, "row")} in ${duration(this.seconds)}`),
            this.problem && h("p", { class: "note bad any" }, this.problem),
            this.tally = h("p", { class: "soft any" }, this.tallied(counts))),
          h("div", { class: "row" },
            state === "stopped" && h("button", { type: "button", class: "button main", onclick: () => this.start() }, "Resume"),
            h("button", { type: "button", class: `button ${state === "done" ? "main" : ""}`, disabled: !this.done, onclick: () => this.download() }, "Download CSV"),
            h("button", { type: "button", class: "button", onclick: () => this.again() }, "Another file")))),
      this.done ? this.table(counts) : null,
    ];
  }

  tallied(counts) {
    return `${this.name}: ${whole(counts.sure)} sure, ${whole(counts.review)} to review, ${whole(counts.failed)} failed, ${whole(counts.corrected)} corrected`;
  }

  /** Update the counts after a correction; the row stays in its place. */
  recount() {
    const counts = this.counts();
    this.tally.textContent = this.tallied(counts);
    for (const chip of this.body.querySelectorAll(".chip[data-of]")) chip.textContent = `${FILTERS[chip.dataset.of]} ${whole(counts[chip.dataset.of])}`;
  }

  counts() {
    const counts = { all: 0, review: 0, sure: 0, failed: 0, corrected: 0 };
    for (const row of this.rows) {
      if (!row.prediction && !row.error) continue;
      counts.all += 1;
      counts[status(row)] += 1;
    }
    return counts;
  }

  /** Rows to review first: failures, then by rising confidence. */
  order() {
    this.sorted ??= this.rows.filter((row) => row.prediction || row.error).sort((a, b) => rank(a) - rank(b) || a.number - b.number);
    return this.sorted;
  }

  table(counts) {
    const rows = this.order().filter((row) => this.filter === "all" || status(row) === this.filter);
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    this.page = Math.min(this.page, pages - 1);
    const from = this.page * PAGE;
    const turn = (step) => { this.page += step; this.draw(); this.body.querySelector("table")?.scrollIntoView({ block: "start" }); this.body.querySelector("caption")?.focus(); };
    return h("section", { class: "stack", "aria-label": "Rows" },
      h("div", { class: "chips", role: "group", "aria-label": "Show" }, Object.entries(FILTERS).map(([name, label]) =>
        h("button", { type: "button", class: "chip", "data-of": name, "aria-pressed": String(this.filter === name), onclick: () => { this.filter = name; this.page = 0; this.draw(); this.body.querySelector(".chip[aria-pressed=true]").focus(); } }, `${label} ${whole(counts[name])}`))),
      h("div", { class: "scroll" }, h("table", { class: "cards wide" },
        h("caption", { tabindex: "-1" }, rows.length ? `Rows ${whole(from + 1)} to ${whole(Math.min(from + PAGE, rows.length))} of ${whole(rows.length)}, those to review first` : "No rows of this kind"),
        h("thead", null, h("tr", null, ["Row", "Product", "Category", "Confidence", ""].map((name, at) => h("th", { scope: "col", class: at === 0 ? "num" : null }, name || h("span", { class: "vh" }, "Action"))))),
        h("tbody", null, rows.slice(from, from + PAGE).map((row) => this.line(row))))),
      pages > 1 && h("nav", { class: "row between", "aria-label": "Pages" },
        h("button", { type: "button", class: "button", disabled: this.page === 0, onclick: () => turn(-1) }, "Previous"),
        h("span", { class: "soft num" }, `Page ${whole(this.page + 1)} of ${whole(pages)}`),
        h("button", { type: "button", class: "button", disabled: this.page === pages - 1, onclick: () => turn(1) }, "Next")));
  }

  line(row) {
    const product = this.product(row);
    const { prediction } = row;
    const text = product.name ?? product.description ?? "";
    const place = row.corrected ? { name: row.corrected.path.at(-1), above: row.corrected.path.slice(0, -1).join(" › ") } : prediction && { name: prediction.category.name, above: pathText(prediction.category.path.slice(0, -1)) };
    const line = h("tr", null,
      h("td", { class: "num soft" }, h("span", { class: "only-cards" }, "Row "), whole(row.number)),
      h("td", { class: "any" }, text.length > 140 ? `${text.slice(0, 140)}…` : text || h("span", { class: "soft" }, "(empty)")),
      h("td", { class: "any" }, place ? [place.name, place.above && h("span", { class: "path" }, place.above), prediction.review && !row.corrected && prediction.answer && h("span", { class: "path" }, `Sure only of ${prediction.answer.name}`)] : h("span", { class: "tag bad" }, "Failed"), row.error && h("span", { class: "path" }, row.error)),
      h("td", null, row.corrected ? h("span", { class: "tag good" }, "Corrected") : prediction && h("span", { class: `tag ${prediction.review ? "warn" : "good"}` }, `${percent(prediction.confidence)}${prediction.review ? " review" : ""}`)),
      h("td", null, prediction && h("button", { type: "button", class: "button slim", "aria-label": `Correct row ${row.number}`, onclick: async () => {
        if (await this.correct(row, product)) {
          const fresh = this.line(row);
          line.replaceWith(fresh);
          fresh.querySelector("button").focus();
          this.recount();
        }
      } }, "Correct")));
    return line;
  }

  async correct(row, product) {
    const chosen = await pickCategory({ about: product.name ?? product.description.slice(0, 120) });
    if (!chosen) return false;
    const category = chosen.id ? { id: chosen.id, path: chosen.path } : { path: chosen.path };
    try {
      await ask("POST", "v1/feedback", { body: { product, prediction_id: row.prediction.id, predicted: named(row.prediction.category), category } });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toast(`Not saved: ${error.message}`);
      return false;
    }
    row.corrected = chosen;
    toast("Thank you. The correction is saved.");
    lookOften();
    return true;
  }

  download() {
    const extra = ["aisle_category_id", "aisle_category", "aisle_confidence", "aisle_answer", "aisle_needs_review", "aisle_corrected", "aisle_model", "aisle_error"];
    const rows = this.rows.map((row) => {
      const { prediction } = row;
      const names = row.corrected?.path ?? prediction?.category.path.map((node) => node.name);
      return [
        ...this.columns.map((column) => row.values[column]),
        row.corrected ? row.corrected.id : prediction?.category.id,
        names?.join(" > "),
        prediction?.confidence,
        prediction?.answer && prediction.answer.path.map((node) => node.name).join(" > "),
        prediction && !row.corrected ? prediction.review : prediction && false,
        Boolean(row.corrected),
        prediction?.model,
        row.error ?? (prediction ? "" : "not classified"),
      ];
    });
    const url = URL.createObjectURL(new Blob([toCsv([[...this.columns, ...extra], ...rows])], { type: "text/csv;charset=utf-8" }));
    const link = h("a", { href: url, download: `${this.name.replace(/(\.[a-z]+)?(\.gz)?$/i, "")}-categories.csv` });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }
}

function status(row) {
  if (row.corrected) return "corrected";
  if (row.error) return "failed";
  return row.prediction.review ? "review" : "sure";
}

function rank(row) {
  if (row.error) return -1;
  return (row.prediction.review ? 0 : 1) + row.prediction.confidence;
}

function preview(file) {
  const chosen = Object.entries(FIELDS).filter(([name]) => file.mapping[name]);
  if (!chosen.length) return h("p", { class: "soft" }, "No column is chosen yet.");
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "The first rows" }, h("table", null,
    h("thead", null, h("tr", null, chosen.map(([, label]) => h("th", { scope: "col" }, label)))),
    h("tbody", null, file.rows.slice(0, 3).map((row) => {
      const product = file.product(row);
      return h("tr", null, chosen.map(([name]) => h("td", { class: "any" }, String(product[name] ?? "–").slice(0, 120))));
    }))));
}
