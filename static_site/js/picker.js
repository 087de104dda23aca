// A dialog to find a category by words in its path, or to name a new one. Made for the keyboard.

import { ask } from "./api.js";
import { debounce, h, put, unique } from "./dom.js";
import { pathText } from "./format.js";

const AT_ONCE = 30;

/**
 * Ask for a category; resolve to {id, path: [names]} (a new one has no id), or null.
 */
export function pickCategory({ title = "Which category is right?", about = "" } = {}) {
  return new Promise((resolve) => new Picker(title, about, resolve).open());
}

class Picker {
  constructor(title, about, resolve) {
    this.resolve = resolve;
    this.chosen = null;
    this.options = [];
    this.at = -1;
    this.newName = "";
    this.list = h("ul", { class: "found", role: "listbox", id: unique("found"), "aria-label": "Categories" });
    this.input = h("input", {
      type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": this.list.id, "aria-autocomplete": "list",
      autocomplete: "off", spellcheck: "false", maxlength: "200", class: "big",
      oninput: () => { this.search(); }, onkeydown: (event) => this.key(event),
    });
    this.label = h("label", { for: unique("search") }, "");
    this.input.id = this.label.htmlFor;
    this.heading = h("h2", { id: unique("title") }, title);
    this.about = about && h("p", { class: "soft small any" }, about);
    this.status = h("p", { class: "soft small", role: "status" });
    this.search = debounce(() => this.find(), 150);
    const keys = h("p", { class: "soft small keys" }, h("kbd", null, "↑"), " ", h("kbd", null, "↓"), " to move, ", h("kbd", null, "Enter"), " to choose, ", h("kbd", null, "Esc"), " to close");
    this.dialog = h("dialog", { "aria-labelledby": this.heading.id, onclose: () => this.closed(), oncancel: (event) => this.back(event), onclick: (event) => { if (event.target === this.dialog) this.dialog.close(); } },
      h("div", { class: "dialog" },
        h("div", { class: "tight" }, h("div", { class: "row between fixed" }, this.heading, h("button", { type: "button", class: "button slim", onclick: () => this.dialog.close() }, "Cancel")), this.about),
        h("div", { class: "field" }, this.label, this.input),
        this.list, this.status, keys));
  }

  open() {
    document.body.append(this.dialog);
    this.dialog.showModal();
    addEventListener("hashchange", () => this.dialog.close(), { once: true });
    this.mode("");
  }

  /** Let the user choose a category, or the parent of a new category. */
  mode(newName) {
    this.newName = newName;
    this.input.value = "";
    this.label.textContent = newName ? `Where does “${newName}” belong?` : "Search by any words of the path";
    this.input.placeholder = newName ? "The category above it" : "headphones, camera acc …";
    this.input.focus();
    this.find();
  }

  async find() {
    this.pending?.abort();
    const pending = new AbortController();
    this.pending = pending;
    const words = this.input.value.trim();
    try {
      const page = await ask("GET", `v1/categories?limit=${AT_ONCE}&q=${encodeURIComponent(words)}`, { signal: pending.signal });
      if (this.pending !== pending) return;
      this.show(words, page);
    } catch (error) {
      if (pending.signal.aborted) return;
      this.options = [];
      this.at = -1;
      put(this.list, h("li", { class: "soft" }, error.message));
      this.status.textContent = "";
    }
  }

  show(words, { items, total }) {
    const categories = items.map(({ id, path, name }) => ({ id, path, name }));
    this.options = this.newName ? parents(categories, words) : categories;
    if (this.newName) this.options.unshift({ id: null, path: [], name: "At the top level: a new department" });
    else if (words) this.options.push({ fresh: words, path: [], name: `Add a new category “${words}” …` });
    this.at = this.options.length ? 0 : -1;
    put(this.list, this.options.map((option, at) => {
      option.element = h("li", { role: "option", id: unique("option"), class: option.fresh ? "new" : null, onclick: () => this.choose(at), onmousemove: () => this.move(at, false) },
        h("span", { class: "any" }, option.name),
        option.path.length > 1 && h("span", { class: "path" }, pathText(option.path)));
      return option.element;
    }));
    this.list.scrollTop = 0;
    this.move(this.at);
    this.status.textContent = total > items.length ? `${items.length} of ${total}; type more to narrow it down` : `${total} found`;
  }

  move(to, scroll = true) {
    if (!this.options.length) {
      this.input.removeAttribute("aria-activedescendant");
      return;
    }
    this.options[this.at]?.element.setAttribute("aria-selected", "false");
    this.at = (to + this.options.length) % this.options.length;
    const { element } = this.options[this.at];
    element.setAttribute("aria-selected", "true");
    this.input.setAttribute("aria-activedescendant", element.id);
    if (scroll) element.scrollIntoView({ block: "nearest" });
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 6, PageUp: -6 }[event.key];
    if (step) {
      event.preventDefault();
      this.move(this.at + step);
    } else if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      if (this.at >= 0) this.choose(this.at);
    }
  }

  choose(at) {
    const option = this.options[at];
    if (option.fresh) {
      this.mode(option.fresh);
      return;
    }
    const names = option.path.map((node) => node.name);
    this.chosen = this.newName ? { path: [...names, this.newName] } : { id: option.id, path: names };
    this.dialog.close();
  }

  back(event) {
    if (!this.newName) return;
    event.preventDefault();
    this.mode("");
  }

  closed() {
    this.pending?.abort();
    this.dialog.remove();
    this.resolve(this.chosen);
  }
}

/** All categories and their ancestors; first those whose name has the words, then the highest up. */
function parents(categories, words) {
  const known = new Map();
  for (const { path } of categories) {
    path.forEach((node, at) => {
      if (!known.has(node.id)) known.set(node.id, { id: node.id, name: node.name, path: path.slice(0, at + 1) });
    });
  }
  const query = words.toLowerCase();
  return [...known.values()].sort((a, b) => Number(b.name.toLowerCase().includes(query)) - Number(a.name.toLowerCase().includes(query)) || a.path.length - b.path.length);
}
