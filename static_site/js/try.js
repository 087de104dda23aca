// Try it: classify a product while it is typed, and correct the result.

import { address, ApiError, ask, events, hasKey, named, predict, priceOf, productOf } from "./api.js";
import { copy, debounce, field, h, put, toast } from "./dom.js";
import { EXAMPLES } from "./examples.js";
import { percent, pathText } from "./format.js";
import { live, lookOften, progress, state } from "./live.js";
import { pickCategory } from "./picker.js";
import { bones, levels, result, sentence } from "./result.js";

const NAMES = ["name", "description", "manufacturer", "price"];
const LONGEST = { name: 500, description: 20_000, manufacturer: 200 };
/** Feedback given while the page is open, by product, with the prediction it was about. */
const corrected = new Map();

export const title = "Try it";

/** Build the view; `parameters` come from its address. */
export function view(parameters, signal) {
  return new Try(parameters, signal).element;
}

class Try {
  constructor(parameters, signal) {
    this.signal = signal;
    this.inputs = {
      name: h("input", { type: "text", class: "big", maxlength: LONGEST.name, autocomplete: "off", spellcheck: "false" }),
      description: h("textarea", { rows: "4", maxlength: LONGEST.description }),
      manufacturer: h("input", { type: "text", maxlength: LONGEST.manufacturer, autocomplete: "off" }),
      price: h("input", { type: "text", inputmode: "decimal", autocomplete: "off" }),
    };
    const linked = NAMES.some((name) => parameters.get(name));
    const start = linked ? Object.fromEntries(NAMES.map((name) => [name, parameters.get(name) ?? ""])) : EXAMPLES[0];
    this.priceHint = h("p", { class: "small", role: "status", hidden: true }, "This is not a price, so it is ignored.");
    this.more = h("details", null, h("summary", null, "Manufacturer and price"),
      h("div", { class: "pair" }, field("Manufacturer", this.inputs.manufacturer), h("div", null, field("Price", this.inputs.price), this.priceHint)));
    this.result = h("section", { class: "card result", "aria-label": "Result", "aria-busy": "true" }, bones());
    this.spoken = h("p", { class: "vh", role: "status" });
    this.news = h("div", { class: "stack" });
    this.later = debounce(() => this.run(), 250);
    this.chips = EXAMPLES.map((example) =>
      h("button", { type: "button", class: "chip", "aria-pressed": "false", onclick: () => { this.fill(example); this.run(); } }, example.name || example.description));
    this.element = h("div", null,
      h("div", { class: "lead" },
        h("h1", null, "Which aisle does this product belong in?"),
        h("p", null, "Type a product as a shop would. Aisle finds its category, shows how sure it is and why, and tells you when a person should review it.")),
      h("div", { class: "cols" },
        h("div", { class: "stack" },
          h("form", { class: "card stack", onsubmit: (event) => { event.preventDefault(); this.run(); }, oninput: () => this.typed() },
            field("Name", this.inputs.name),
            field("Description", this.inputs.description),
            this.more,
            h("div", { class: "row" },
              h("button", { type: "button", class: "link", onclick: () => this.clear() }, "Clear"),
              h("button", { type: "button", class: "link", onclick: () => copy(location.href, "Link") }, "Copy link"),
              h("button", { type: "button", class: "link", onclick: () => copy(curl(this.product()), "Command") }, "Copy as curl"))),
          h("div", { class: "tight" }, h("h3", { id: "examples" }, "Or one of these, as shops really type them"),
            h("div", { class: "chips phone-scroll", role: "group", "aria-labelledby": "examples" }, this.chips))),
        h("div", { class: "stack" }, this.result, this.news)),
      this.spoken);
    this.fill(start);
    live.addEventListener("change", () => this.refresh(), { signal });
    events.addEventListener("model", ({ detail }) => { if (!detail.first) this.run(); }, { signal });
    events.addEventListener("online", () => { if (this.failed) this.run(); }, { signal });
    signal.addEventListener("abort", () => { this.pending?.abort(); this.later.cancel(); });
    this.run();
  }

  typed() {
    this.result.setAttribute("aria-busy", "true");
    this.later();
  }

  fill(values) {
    for (const name of NAMES) this.inputs[name].value = values[name] ?? "";
    if (values.manufacturer || values.price) this.more.open = true;
  }

  clear() {
    this.fill({});
    this.run();
    this.inputs.name.focus();
  }

  typedValues() {
    return Object.fromEntries(NAMES.map((name) => [name, this.inputs[name].value]));
  }

  product() {
    return productOf(this.typedValues());
  }

  async run() {
    this.later.cancel();
    this.pending?.abort();
    const pending = new AbortController();
    this.pending = pending;
    this.failed = false;
    const values = this.typedValues();
    this.remember(values);
    const price = values.price.trim() && priceOf(values.price) === null;
    this.inputs.price.setAttribute("aria-invalid", String(Boolean(price)));
    this.priceHint.hidden = !price;
    const product = this.product();
    if (!product.name && !product.description) {
      this.current = null;
      this.show(h("div", { class: "tight" }, h("h2", null, "Nothing to go by yet"), h("p", { class: "soft" }, "Type a name or a description, or choose one of the examples.")), "");
      return;
    }
    this.result.setAttribute("aria-busy", "true");
    try {
      const prediction = await predict(product, { signal: pending.signal });
      if (this.pending !== pending) return;
      this.current = { product, prediction };
      const shown = prediction.answer ?? prediction;
      this.show(result(product, prediction, this.question()), `${(prediction.answer ?? prediction.category).name}, ${percent(shown.confidence)}. ${sentence(prediction)}`);
    } catch (error) {
      if (pending.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.failed = error.kind !== "input";
      this.current = null;
      this.show(this.trouble(error), error.message);
    }
  }

  show(content, spoken) {
    put(this.result, content);
    this.result.removeAttribute("aria-busy");
    this.spoken.textContent = spoken;
    this.refresh();
  }

  trouble(error) {
    const heading = { input: "This cannot be classified", key: "An API key is needed", offline: "No connection to the API", busy: "The API is busy" }[error.kind] ?? "Something went wrong";
    return h("div", { class: "tight" }, h("h2", null, heading), h("p", { class: "any" }, error.message),
      error.kind === "input" ? null : h("div", null, h("button", { type: "button", class: "button", onclick: () => this.run() }, "Try again")));
  }

  /** Keep the input in the address, as a permanent link; browsers do not send this part of it. */
  remember(values) {
    const kept = new URLSearchParams(Object.entries(values).filter(([, value]) => value.trim()));
    history.replaceState(null, "", `#/try${kept.size ? `?${kept}` : ""}`);
    for (const [at, chip] of this.chips.entries()) {
      chip.setAttribute("aria-pressed", String(NAMES.every((name) => (EXAMPLES[at][name] ?? "") === values[name])));
    }
  }

  question() {
    const { product, prediction } = this.current;
    const done = corrected.get(JSON.stringify(product));
    if (done) return null;
    return h("div", { class: "ask row between" },
      h("p", null, "Is ", h("strong", { class: "any" }, prediction.category.name), " right?"),
      h("div", { class: "row" },
        h("button", { type: "button", class: "button slim", onclick: () => this.say({ right: true }) }, "Yes"),
        h("button", { type: "button", class: "button slim", onclick: () => this.correct() }, "Not right?")));
  }

  async correct() {
    const { product } = this.current;
    const chosen = await pickCategory({ about: product.name ?? product.description.slice(0, 120) });
    if (chosen) await this.say({ category: chosen.id ? { id: chosen.id, path: chosen.path } : { path: chosen.path } });
  }

  async say(feedback) {
    const { product, prediction } = this.current;
    try {
      await ask("POST", "v1/feedback", { body: { product, prediction_id: prediction.prediction_id, predicted: named(prediction.category), ...feedback } });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toast(`Not saved: ${error.message}`, { label: "Try again", run: () => this.say(feedback) });
      return;
    }
    corrected.set(JSON.stringify(product), { before: prediction, feedback });
    this.result.querySelector(".ask")?.remove();
    this.refresh();
    this.news.querySelector("h2")?.focus();
    await lookOften();
  }

  /** Show what became of the feedback. */
  refresh() {
    const done = this.current && corrected.get(JSON.stringify(this.current.product));
    if (!done) {
      put(this.news);
      return;
    }
    const { before, feedback } = done;
    const { prediction: after } = this.current;
    if (after.model_version !== before.model_version) {
      put(this.news, h("section", { class: "card stack", "aria-labelledby": "news" },
        h("h2", { id: "news", tabindex: "-1" }, "A new model has arrived"),
        h("p", { class: "soft" }, "The same product, classified by the previous model and by the one in use now."),
        h("div", { class: "versus" }, side("Before", before), side("Now", after))));
      return;
    }
    const focused = this.news.contains(document.activeElement);
    put(this.news, h("section", { class: "card stack", "aria-labelledby": "news" },
      h("h2", { id: "news", tabindex: "-1" }, feedback.right ? "Thank you: confirmation saved" : "Thank you: correction saved"),
      feedback.category ? h("p", { class: "any" }, feedback.category.path.join(" › ")) : null,
      h("p", { class: "soft" }, "Feedback from visitors is reviewed by a person, and then the next training uses it. A new model is used only if it is at least as good on a test that never changes. When that happens, this page shows the result before and after."),
      progress() ?? h("p", { class: "soft small" }, "Once the corrections have been counted, this shows how many more are needed for the next training.")));
    if (focused) this.news.querySelector("h2").focus();
  }
}

function side(name, prediction) {
  const shown = prediction.answer ?? { ...prediction.category, confidence: prediction.confidence };
  return h("div", null,
    h("h3", null, `${name} · model ${prediction.model_version}`),
    h("p", { class: "row between fixed" }, h("strong", { class: "any" }, prediction.category.name), h("span", { class: "num" }, percent(prediction.confidence))),
    h("p", { class: "small any" }, pathText(prediction.category.path)),
    h("p", { class: "small" }, shown.id === prediction.category.id ? "Sure." : sentence(prediction)));
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The same request as a curl command. */
export function curl(product) {
  const lines = [`curl -s ${quoted(address("v1/predict"))}`, "-H 'Content-Type: application/json'"];
  if (hasKey()) lines.push("-H \"X-Api-Key: $KEY\"");
  lines.push(`-d ${quoted(JSON.stringify(product))}`);
  return lines.join(" \\\n  ");
}
