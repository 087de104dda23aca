// For developers: a first request in three languages.

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
    headers={"Content-Type": "application/json"},  # add "X-Api-Key" if the API needs a key
)
with urlopen(request) as response:
    prediction = json.load(response)

answer = prediction["answer"]  # the deepest level with enough confidence, or None
print(" > ".join(node["name"] for node in answer["path"]) if answer else "ask a person")`,
  JavaScript: () => `const response = await fetch("${address("v1/predict")}", {
  method: "POST",
  headers: { "Content-Type": "application/json" }, // add "X-Api-Key" if the API needs a key
  body: JSON.stringify(${JSON.stringify(PRODUCT)}),
});
if (!response.ok) throw new Error((await response.json()).detail);
const { answer, category, needs_review } = await response.json();

console.log(answer ? answer.path.map((node) => node.name).join(" > ") : "ask a person");`,
};

const ROUTES = [
  ["POST", "/v1/predict", "classifies one product"],
  ["POST", "/v1/predict/batch", "classifies up to 100 products; an error affects one product only"],
  ["GET", "/v1/categories", "searches the categories"],
  ["GET", "/v1/model", "describes the current model: version, data and figures"],
  ["POST", "/v1/feedback", "records a confirmation or correction of a prediction"],
  ["GET", "/v1/models", "lists the published and refused models"],
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
      h("p", null, "One request returns the category path, a confidence for every level, the alternatives, the words that decided, and whether a person should review it.")),
    h("div", { class: "stack" },
      h("section", { class: "card stack" },
        h("h2", null, "A first request"),
        h("div", { class: "row between" }, h("div", { class: "tabs", role: "tablist", "aria-label": "Language" }, tabs),
          h("button", { type: "button", class: "button slim", onclick: () => copy(SAMPLES[shown](), "Code") }, "Copy")),
        code,
        h("p", { class: "soft small" }, "Errors are problem details (RFC 9457) that say what to do. If the API needs a key, send it in the header X-Api-Key.")),
      h("section", { class: "card stack" },
        h("h2", null, "Main routes"),
        h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Routes" }, h("table", null,
          h("thead", null, h("tr", null, h("th", { scope: "col" }, "Route"), h("th", { scope: "col" }, "What it does"))),
          h("tbody", null, ROUTES.map(([method, path, says]) => h("tr", null, h("th", { scope: "row" }, h("code", null, `${method} ${path}`)), h("td", null, says)))))),
        h("div", { class: "row" },
          h("a", { class: "button main", href: address("v1/docs") }, "Try the whole API"),
          h("a", { class: "button", href: address("v1/openapi.json") }, "openapi.json")))));
}
