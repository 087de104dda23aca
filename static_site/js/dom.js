// Build elements from plain data. Text always becomes a text node: nothing here parses markup.

const SVG = "http://www.w3.org/2000/svg";

/** Make an HTML element; `vars` sets custom properties, `on…` listeners, all else attributes. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** Make an SVG element. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "vars") {
      for (const [key, setting] of Object.entries(value)) element.style.setProperty(`--${key}`, setting);
    } else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Replace an element's children. */
export function put(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter(Boolean));
  return element;
}

/** Draw an icon. */
export function icon(name) {
  return s("svg", { viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, s("path", { d: ICONS[name] }));
}

const ICONS = {
  auto: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M2 12h2M20 12h2M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4",
  dark: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  file: "M14 3H6v18h12V7zM14 3v4h4M12 17v-6M9 14l3-3 3 3",
};

let numbers = 0;

/** Return an id that is unique on the page. */
export function unique(stem) {
  numbers += 1;
  return `${stem}-${numbers}`;
}

/** A labelled control. */
export function field(label, control, hint) {
  control.id ||= unique("field");
  const about = hint && h("span", { class: "soft small", id: unique("hint") }, hint);
  if (about) control.setAttribute("aria-describedby", about.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, about);
}

/** Show a message for a while, and announce it to screen readers. */
export function toast(text, action) {
  const element = h("div", { class: "toast" }, h("span", null, text));
  if (action) {
    element.append(h("button", { type: "button", class: "link", onclick: () => { element.remove(); action.run(); } }, action.label));
  }
  document.getElementById("toasts").append(element);
  setTimeout(() => element.remove(), action ? 20_000 : 5_000);
}

/** Copy a text and confirm it. */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied.`);
  } catch {
    // Not a secure origin, or not allowed: let the user copy the text by hand.
    const box = h("textarea", { readonly: true, rows: "6", "aria-label": what }, text);
    const dialog = h("dialog", { "aria-label": what, onclose: () => dialog.remove() },
      h("form", { method: "dialog" }, h("p", null, "The browser does not allow this page to copy. Copy the text from here:"), box, h("button", { class: "button main" }, "Close")));
    document.body.append(dialog);
    dialog.showModal();
    box.select();
  }
}

/** Delay a function until it has not been called for a while. */
export function debounce(run, milliseconds) {
  let timer = 0;
  const later = (...args) => {
    clearTimeout(timer);
    timer = setTimeout(run, milliseconds, ...args);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}
