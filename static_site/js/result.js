// Show a prediction.

import { h } from "./dom.js";
import { pathText, percent } from "./format.js";

const FIELDS = { name: "Name", description: "Description", manufacturer: "Manufacturer" };

/** Say in a plain sentence how reliable the prediction is. */
export function sentence(prediction) {
  const { answer, category, needs_review: review } = prediction;
  if (!answer) return `Not sure of any department. The best guess is ${category.name}; a person should decide.`;
  if (!review) return "Sure enough to use as it is.";
  return `Sure it is ${answer.name}, but not sure which kind. A person should review it.`;
}

/** The whole result: verdict, path, evidence, alternatives. */
export function result(product, prediction, question) {
  const shown = prediction.answer ?? prediction.category;
  const tag = prediction.needs_review
    ? h("span", { class: "tag warn" }, "Needs review")
    : h("span", { class: "tag good" }, "Sure");
  return h("div", { class: `stack ${prediction.answer ? "" : "unsure"}` },
    h("div", { class: "verdict" },
      h("div", null, tag),
      h("div", { class: "row" },
        h("h2", { class: "any" }, shown.name),
        h("span", { class: "much num" }, h("span", { class: "vh" }, "confidence "), percent(shown.confidence ?? prediction.confidence))),
      h("p", null, sentence(prediction))),
    h("nav", { class: "tight", "aria-label": "Category path" }, h("h3", null, "Path, with the confidence at every level"), levels(prediction)),
    question,
    evidence(product, prediction),
    alternatives(prediction));
}

/** The path, one level per line, each with its confidence. */
export function levels({ levels: path, answer }) {
  const sure = answer ? path.findIndex((level) => level.id === answer.id) : -1;
  return h("ol", { class: "levels" }, path.map((level, at) =>
    h("li", { class: at > sure ? "guess" : at === sure ? "shown" : null },
      h("span", { class: "name any" }, level.name, at > sure && h("span", { class: "vh" }, " (a guess)")),
      h("span", { class: "num soft" }, percent(level.confidence)),
      meter(level.confidence))));
}

function meter(share) {
  return h("span", { class: "meter", "aria-hidden": "true" }, h("i", { vars: { share } }));
}

function alternatives(prediction) {
  const others = prediction.alternatives.slice(0, 4);
  if (!others.length) return null;
  return h("section", { class: "line stack" },
    h("h3", null, "Other possibilities"),
    h("ol", { class: "others" }, others.map((category) =>
      h("li", { class: "other" },
        h("span", { class: "any" }, category.name, category.path.length > 1 && h("span", { class: "path" }, above(category.path))),
        h("span", { class: "num soft" }, percent(category.confidence)),
        meter(category.confidence)))));
}

/** The nearest two ancestors: enough to tell categories with the same name apart. */
function above(path) {
  const near = path.slice(-3, -1);
  return (path.length > 3 ? "… › " : "") + pathText(near);
}

function evidence(product, prediction) {
  const fields = Object.keys(FIELDS).filter((field) => product[field]);
  if (!fields.length) return null;
  const most = Math.max(...prediction.evidence.map((fragment) => fragment.weight), 1e-9);
  const shown = prediction.evidence.length
    ? "The stronger the colour, the more a word mattered"
    : "No single words decided this";
  return h("section", { class: "line tight why" },
    h("h3", null, shown),
    h("dl", null, fields.map((field) => [
      h("dt", null, FIELDS[field]),
      h("dd", null, h("p", null, marked(product[field], prediction.evidence.filter((fragment) => fragment.field === field), most))),
    ])));
}

/** A text with its deciding fragments marked. Positions count code points, as the API does. */
export function marked(text, fragments, most) {
  const letters = Array.from(text);
  const weights = new Array(letters.length).fill(0);
  for (const { start, end, weight } of fragments) {
    for (let at = start; at < Math.min(end, letters.length); at += 1) weights[at] = Math.max(weights[at], weight);
  }
  const parts = [];
  for (let at = 0; at < letters.length;) {
    let end = at + 1;
    while (end < letters.length && weights[end] === weights[at]) end += 1;
    const piece = letters.slice(at, end).join("");
    const weight = weights[at];
    parts.push(weight ? h("mark", { vars: { share: weight / most }, title: `${percent(weight)} of the evidence` }, piece) : piece);
    at = end;
  }
  return parts;
}

/** A placeholder until there is a result. */
export function bones() {
  const bone = (width, height) => {
    const element = h("div", { class: "bone" });
    element.style.width = width;
    element.style.height = height;
    return element;
  };
  return h("div", { class: "stack" }, h("span", { class: "vh" }, "Asking the model…"),
    bone("5rem", "1.5rem"), bone("70%", "2.25rem"), bone("90%", "1rem"), bone("100%", ".75rem"), bone("80%", ".75rem"), bone("60%", ".75rem"));
}
