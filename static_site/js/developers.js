// For developers: the quickest way in, in three languages.

import { address } from "./api.js";
import { copy, h, put } from "./dom.js";
import { curl } from "./try.js";

const PRODUCT = { name: "GoPro - Camera Mount Accessory Kit - Black", price: 29.99 };

export const title = "For developers";

const SAMPLES = {
  curl: () => curl(PRODUCT),
  Python: () => `import json
from urllib.request import Request, urlopen

product = ${JSON.stringify(PRODUCT)}
request = Request(
    "${address("v1/predict")}",
    data=json.dumps(product).encode(),
    headers={"Content-Type": "application/json"},  # and "X-Api-Key", where one is asked for
)
with urlopen(request) as response:
    prediction = json.load(response)

answer = prediction["answer"]  # the deepest level that is sure enough, or None
print(" > ".join(node["name"] for node in answer["path"]) if answer else "ask a person")`,
  JavaScript: () => `const response = await fetch("${address("v1/predict")}", {
  method: "POST",
  headers: { "Content-Type": "application/json" }, // and "X-Api-Key", where one is asked for
  body: JSON.stringify(${JSON.stringify(PRODUCT)}),
});
if (!response.ok) throw new Error((await response.json()).detail);
const { answer, category, needs_review } = await response.json();

console.log(answer ? answer.path.map((node) => node.name).join(" > ") : "ask a person");`,
};

const ROUTES = [
  ["POST", "/v1/predict", "the category of one product"],
  ["POST", "/v1/predict/batch", "of up to 100; one bad product does not fail the others"],
  ["GET", "/v1/categories", "the categories that have these words"],
  ["GET", "/v1/model", "the model's version, data and figures"],
  ["POST", "/v1/feedback", "keeps what a person says of a prediction"],
  ["GET", "/v1/models", "the models that were published, and what became of them"],
];

export function view() {
  const code = h("pre", { tabindex: "0", role: "tabpanel", id: "sample" });
  let shown = "";
  const tabs = Object.keys(SAMPLES).map((name) => h("button", {
    type: "button", role: "tab", class: "chip", id: `tab-${name}`, "aria-controls": "sample", onclick: () => select(name),
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(tabs.indexOf(event.currentTarget) + step + tabs.length) % tabs.length];
      next.click();
      next.focus();
    },
  }, name));
  const select = (name) => {
    shown = name;
    for (const tab of tabs) {
      const on = tab.textContent === name;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
    }
    code.setAttribute("aria-labelledby", `tab-${name}`);
    put(code, h("code", null, SAMPLES[name]()));
  };
  select("curl");
  return h("div", null,
    h("div", { class: "lead" },
      h("h1", null, "For developers"),
      h("p", null, "One request, one answer: the path, a confidence at every level, the alternatives, the words that decided, and whether a person should look.")),
    h("div", { class: "stack" },
      h("section", { class: "card stack" },
        h("h2", null, "Ask it"),
        h("div", { class: "row between" }, h("div", { class: "tabs", role: "tablist", "aria-label": "Language" }, tabs),
          h("button", { type: "button", class: "button slim", onclick: () => copy(SAMPLES[shown](), "Code") }, "Copy")),
        code,
        h("p", { class: "soft small" }, "Errors are problem details (RFC 9457) with a sentence that says what to do. Where a key is asked for, it goes into the header X-Api-Key.")),
      h("section", { class: "card stack" },
        h("h2", null, "What there is"),
        h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Addresses" }, h("table", null,
          h("thead", null, h("tr", null, h("th", { scope: "col" }, "Address"), h("th", { scope: "col" }, "Answers"))),
          h("tbody", null, ROUTES.map(([method, path, says]) => h("tr", null, h("th", { scope: "row" }, h("code", null, `${method} ${path}`)), h("td", null, says)))))),
        h("div", { class: "row" },
          h("a", { class: "button main", href: address("v1/docs") }, "The whole API, to try out"),
          h("a", { class: "button", href: address("v1/openapi.json") }, "openapi.json")))));
}
