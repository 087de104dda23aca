// Small charts. Each comes with the same figures as a table.

import { h, s } from "./dom.js";
import { exact } from "./format.js";

const WIDTH = 420;
const HEIGHT = 300;
const STEPS = [0, 0.2, 0.4, 0.6, 0.8, 1];
const EDGE = { left: 40, right: 10, top: 10, bottom: 38 };

/** A chart and its table. `columns`, `x` and `y` are [label, key]; `x` and `y` are shares from 0 to 1. */
export function chart({ title, about, points, x, y, columns, ideal = false, line = true }) {
  const low = ideal ? 0 : Math.min(0.9, Math.floor(Math.min(...points.map((point) => point[y[1]])) * 10) / 10);
  const px = (value) => EDGE.left + value * (WIDTH - EDGE.left - EDGE.right);
  const py = (value) => HEIGHT - EDGE.bottom - ((value - low) / (1 - low)) * (HEIGHT - EDGE.top - EDGE.bottom);
  const places = points.map((point) => [px(point[x[1]]), py(point[y[1]])]);
  const rows = STEPS.map((share) => low + share * (1 - low));
  const picture = s("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}. ${about}` },
    rows.map((value) => [
      s("line", { class: "axis", x1: px(0), x2: px(1), y1: py(value), y2: py(value) }),
      s("text", { x: EDGE.left - 8, y: py(value) + 4, "text-anchor": "end" }, `${Math.round(value * 100)}%`),
    ]),
    STEPS.map((value) => s("text", { x: px(value), y: HEIGHT - EDGE.bottom + 17, "text-anchor": value === 1 ? "end" : "middle" }, `${Math.round(value * 100)}%`)),
    s("text", { x: px(0.5), y: HEIGHT - 4, "text-anchor": "middle" }, `${x[0]} →`),
    ideal && s("line", { class: "ideal", x1: px(0), y1: py(0), x2: px(1), y2: py(1) }),
    line && places.length > 1 && s("path", { class: "curve", d: `M${places.map((place) => place.map((value) => value.toFixed(1)).join(" ")).join("L")}` }),
    places.length <= 30 && places.map(([cx, cy]) => s("circle", { class: "point", cx, cy, r: 4 })));
  return h("figure", { class: "card tight" },
    h("figcaption", { class: "tight" }, h("h2", null, title), h("p", { class: "soft small" }, about)),
    picture,
    h("details", null, h("summary", null, "Show as a table"), table(columns, points)));
}

/** A table of figures; a column is [label, key or function, format]. */
export function table(columns, rows, { caption = "", mark = () => false } = {}) {
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption || "Table" }, h("table", null,
    caption && h("caption", null, caption),
    h("thead", null, h("tr", null, columns.map(([label], at) => h("th", { scope: "col", class: at ? "num" : null }, label)))),
    h("tbody", null, rows.map((row) => h("tr", { class: mark(row) ? "ours" : null }, columns.map(([, key, format = exact], at) => {
      const value = typeof key === "function" ? key(row) : row[key];
      return at ? h("td", { class: "num" }, format(value)) : h("th", { scope: "row" }, format(value));
    }))))));
}
