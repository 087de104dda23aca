// The one place that talks to the API.

const KEY = "aisle-key";
const PAUSES = [1000, 2000, 4000, 8000];

let base = new URL(".", document.baseURI);
let key = "";
try {
  key = sessionStorage.getItem(KEY) ?? "";
} catch {
  // Without storage the key lives as long as the page.
}

/** Tells of "offline", "online", "key" (one is asked for) and "model" (another one serves). */
export const events = new EventTarget();
let reachable = true;

/** What went wrong, in a sentence for the reader. `kind`: offline, key, busy, input or failed. */
export class ApiError extends Error {
  constructor(message, { kind, status = 0, errors = [], wait = 0 }) {
    super(message);
    Object.assign(this, { kind, status, errors, wait });
  }
}

/** Read where the API is: beside this page, unless config.json says another origin. */
export async function configure() {
  try {
    const response = await fetch("config.json", { cache: "no-cache" });
    const found = response.ok ? await response.json() : {};
    if (typeof found.api === "string" && found.api) base = new URL(found.api.replace(/\/*$/, "/"), document.baseURI);
  } catch {
    // Beside this page, then; if it is not there either, the first request says so.
  }
}

/** The address of something in the API. */
export const address = (path) => new URL(path, base).href;

export const hasKey = () => Boolean(key);

export function setKey(value) {
  key = value.trim();
  try {
    sessionStorage.setItem(KEY, key);
  } catch {
    // As above.
  }
}

/** Ask, and return the answer's JSON; raise ApiError. */
export async function ask(method, path, { body, signal } = {}) {
  let response;
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["X-Api-Key"] = key;
  try {
    response = await fetch(address(path), { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body), credentials: "omit" });
  } catch (error) {
    if (signal?.aborted) throw error;
    connected(false);
    throw new ApiError("The API cannot be reached. Check the connection; what you typed stays here.", { kind: "offline" });
  }
  connected(true);
  let answer = null;
  try {
    answer = await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    if (response.ok) throw new ApiError("The API's answer was cut off. Try again.", { kind: "offline" });
  }
  if (response.ok) return answer;
  throw problem(response, answer);
}

/** Ask for what an older API may not have: null where there is no such address. */
export async function askIfThere(path, options) {
  try {
    return await ask("GET", path, options);
  } catch (error) {
    if (error instanceof ApiError && [403, 404, 405].includes(error.status)) return null;
    throw error;
  }
}

/** Ask until there is an answer: through a lost connection and a busy API, not through a refusal. */
export async function insist(method, path, { body, signal, waiting }) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const answer = await ask(method, path, { body, signal });
      if (attempt) waiting?.(null);
      return answer;
    } catch (error) {
      const failures = error.status >= 500 && error.status !== 503 && attempt >= 3;
      if (signal?.aborted || !(error instanceof ApiError) || failures || !["offline", "busy", "failed"].includes(error.kind)) throw error;
      waiting?.(error);
      await pause(error.wait || PAUSES[Math.min(attempt, PAUSES.length - 1)], signal);
    }
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    addEventListener("online", done);
    signal?.addEventListener("abort", () => { done(); reject(signal.reason); }, { once: true });
  });
}

function problem(response, answer) {
  const detail = typeof answer?.detail === "string" ? answer.detail : "";
  const { status } = response;
  const errors = Array.isArray(answer?.errors) ? answer.errors : [];
  if (status === 401 || (status === 403 && !detail && answer?.message)) {
    events.dispatchEvent(new CustomEvent("key", { detail: key ? "The API key is not accepted." : "" }));
    return new ApiError(detail || "The API asks for a key.", { kind: "key", status });
  }
  if (status === 429 || status === 503) {
    const wait = Math.min(30, Number(response.headers.get("Retry-After")) || 0) * 1000;
    return new ApiError(status === 429 ? "These are more requests than the API takes at a time. Wait a moment." : detail || "The API is not available just now.", { kind: "busy", status, wait });
  }
  if (status >= 500) return new ApiError("Something went wrong in the API. Try again in a moment.", { kind: "failed", status });
  return new ApiError(detail || `The API refused this (${status}).`, { kind: "input", status, errors });
}

function connected(now) {
  if (now === reachable) return;
  reachable = now;
  events.dispatchEvent(new Event(now ? "online" : "offline"));
}

const versions = new Set();

/** Take note of the model that answered; tell when it is one that was not seen before. */
export function noticeModel(version) {
  if (!version || versions.has(version)) return;
  const first = versions.size === 0;
  versions.add(version);
  events.dispatchEvent(new CustomEvent("model", { detail: { version, first } }));
}

/** Classify a product. */
export async function predict(product, options) {
  const answer = await ask("POST", "v1/predict", { body: product, ...options });
  noticeModel(answer.model_version);
  return answer;
}

/** A predicted category as feedback names it. */
export const named = ({ id, path }) => ({ id, path: path.map((node) => node.name) });

/** A typed form as a product: empty fields left out. */
export function productOf({ name, description, manufacturer, price }) {
  const product = {};
  if (name?.trim()) product.name = name;
  if (description?.trim()) product.description = description;
  if (manufacturer?.trim()) product.manufacturer = manufacturer;
  const number = priceOf(price);
  if (number !== null) product.price = number;
  return product;
}

/** Read a price as people type it; null where it is none. "1.299,00 €" -> 1299 */
export function priceOf(text) {
  if (typeof text === "number") return Number.isFinite(text) && text >= 0 ? text : null;
  let plain = String(text ?? "").replace(/[^\d.,-]/g, "");
  const comma = plain.lastIndexOf(","), dot = plain.lastIndexOf(".");
  if (comma > dot && !/,\d{3}$/.test(plain)) plain = plain.replace(/\./g, "").replace(",", ".");
  else plain = plain.replace(/,/g, "");
  const number = plain ? Number(plain) : NaN;
  return Number.isFinite(number) && number >= 0 ? number : null;
}
