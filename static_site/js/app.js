// The page: routing between views, the colour theme, and what all views share.

import { configure, address, events, setKey } from "./api.js";
import { h, icon, put, toast } from "./dom.js";
import { live, look, state } from "./live.js";

const VIEWS = {
  try: () => import("./try.js"),
  catalogue: () => import("./catalogue.js"),
  model: () => import("./model.js"),
  developers: () => import("./developers.js"),
};

const main = document.getElementById("main");
const banner = document.getElementById("banner");
let showing = new AbortController();
let moved = false;

/** Show the view of the address; after a navigation, move the focus into it, even if an earlier call was aborted. */
async function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const name = Object.hasOwn(VIEWS, path) ? path : "try";
  showing.abort();
  showing = new AbortController();
  const { signal } = showing;
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  let module;
  try {
    module = await VIEWS[name]();
  } catch {
    put(main, h("p", { class: "note bad" }, "This part of the page could not be loaded. Check your connection, then ", h("a", { href: "" }, "reload the page"), "."));
    return;
  }
  if (signal.aborted) return;
  document.title = `${module.title} · Aisle`;
  put(main, module.view(new URLSearchParams(query ?? ""), signal));
  if (moved) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  moved = false;
}

function move() {
  moved = true;
  route();
}

const THEMES = ["auto", "light", "dark"];
const THEME_NAMES = { auto: "same as the system", light: "light", dark: "dark" };
const theme = document.getElementById("theme");

function showTheme() {
  const now = document.documentElement.dataset.theme ?? "auto";
  put(theme, icon(now));
  theme.setAttribute("aria-label", `Colours: ${THEME_NAMES[now]}`);
  theme.title = `Colours: ${THEME_NAMES[now]}`;
}

theme.addEventListener("click", () => {
  const now = document.documentElement.dataset.theme ?? "auto";
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  if (next === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("aisle-theme", next);
  } catch {
    // Without storage, the choice lasts until the page is closed.
  }
  showTheme();
});

events.addEventListener("offline", () => put(banner, h("p", { class: "note warn" }, "No connection to the API. What you typed is still here; the page continues when the connection is back.")));
events.addEventListener("online", () => put(banner));
addEventListener("online", () => look());
addEventListener("offline", () => events.dispatchEvent(new Event("offline")));

// Every refused request asks for a key; one form is enough.
events.addEventListener("key", ({ detail }) => {
  if (banner.querySelector("form")) {
    const problem = banner.querySelector("[data-problem]");
    if (detail) problem.textContent = detail;
    return;
  }
  const input = h("input", { type: "password", id: "key", autocomplete: "off", required: true, placeholder: "aisle_…" });
  const form = h("form", { class: "card tight", onsubmit: (event) => { event.preventDefault(); setKey(input.value); put(banner); move(); look(); } },
    h("label", { for: "key" }, "This API needs a key"),
    h("p", { class: "soft small" }, "Make one with ", h("code", null, "aisle keys create --client me"), ". It stays in this tab and is sent only to this API."),
    h("p", { class: "small", "data-problem": "" }, detail),
    h("div", { class: "row" }, h("div", { class: "field grow" }, input), h("button", { class: "button main" }, "Use it")));
  put(banner, form);
});

events.addEventListener("model", ({ detail }) => {
  if (!detail.first) toast(`A new model is in use: ${detail.version}.`, { label: "View it", run: () => { location.hash = "#/model"; } });
});
live.addEventListener("change", () => {
  document.getElementById("serving").textContent = state.version ? `Model in use: ${state.version}` : "";
});

// The part of the address after # selects the view, so following this link would leave the view.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", move);
showTheme();
await configure();
for (const link of document.querySelectorAll("[data-api]")) link.href = address(link.dataset.api);
await route();
look();
