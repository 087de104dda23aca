// All requests to the API.

const KEY = "aisle-key";
const PAUSES = [1000, 2000, 4000, 8000];

let base = new URL(".", document.baseURI);
let key = "";
try {
  key = sessionStorage.getItem(KEY) ?? "";
} catch {
  // Without storage, the key lasts until the page is closed.
}

/** Events: "offline", "online", "key" (the API needs one) and "model" (another one is in use). */
export const events = new EventTarget();
let reachable = true;

/** An error with a message for the user. `kind`: offline, key, busy, input or failed. */
export class ApiError extends Error {
  constructor(message, { kind, status = 0, errors = [], wait = 0 }) {
    super(message);
    Object.assign(this, { kind, status, errors, wait });
  }
}

/** Find the API's address: beside this page, unless config.json names another. */
export async function configure() {
  try {
    const response = await fetch("config.json", { cache: "no-cache" });
    const config = response.ok ? await response.json() : {};
    if (typeof config.api === "string" && config.api) base = new URL(config.api.replace(/\/*$/, "/"), document.baseURI);
  } catch {
    // Assume it is beside this page; if not, the first request reports it.
  }
}

/** The full address of a path in the API. */
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

/** Send a request and return the JSON of the response; throw ApiError. */
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
    throw new ApiError("The API cannot be reached. Check your connection; what you typed is still here.", { kind: "offline" });
  }
  connected(true);
  let answer = null;
  try {
    answer = await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    if (response.ok) throw new ApiError("The API's response was incomplete. Try again.", { kind: "offline" });
  }
  if (response.ok) return answer;
  throw problem(response, answer);
}

/** Get what an older API may not have; null if it does not. */
export async function askIfThere(path, options) {
  try {
    return await ask("GET", path, options);
  } catch (error) {
    if (error instanceof ApiError && [403, 404, 405].includes(error.status)) return null;
    throw error;
  }
}

/** Repeat a request until it succeeds or is refused; retry if the API is offline or busy. */
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
    return new ApiError(detail || "The API needs a key.", { kind: "key", status });
  }
  if (status === 429 || status === 503) {
    const wait = Math.min(30, Number(response.headers.get("Retry-After")) || 0) * 1000;
    return new ApiError(status === 429 ? "Too many requests at once. Wait a moment." : detail || "The API is temporarily unavailable.", { kind: "busy", status, wait });
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

/** Remember the model that answered; send "model" if it is new. */
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

/** A predicted category in the form that feedback needs. */
export const named = ({ id, path }) => ({ id, path: path.map((node) => node.name) });

/** The form's values as a product, without empty fields. */
export function productOf({ name, description, manufacturer, price }) {
  const product = {};
  if (name?.trim()) product.name = name;
  if (description?.trim()) product.description = description;
  if (manufacturer?.trim()) product.manufacturer = manufacturer;
  const number = priceOf(price);
  if (number !== null) product.price = number;
  return product;
}

/** Parse a price as people type it; null if it is not a price. "1.299,00 €" -> 1299 */
export function priceOf(text) {
  if (typeof text === "number") return Number.isFinite(text) && text >= 0 ? text : null;
  let plain = String(text ?? "").replace(/[^\d.,-]/g, "");
  const comma = plain.lastIndexOf(","), dot = plain.lastIndexOf(".");
  if (comma > dot && !/,\d{3}$/.test(plain)) plain = plain.replace(/\./g, "").replace(",", ".");
  else plain = plain.replace(/,/g, "");
  const number = plain ? Number(plain) : NaN;
  return Number.isFinite(number) && number >= 0 ? number : null;
}
