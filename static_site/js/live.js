// Poll the server: which model is in use, and how far the next one is.

import { ask, askIfThere, events, noticeModel } from "./api.js";
import { h } from "./dom.js";
import { duration, plural } from "./format.js";

const CALM = 60_000;
const EAGER = 5_000;

/** Sends "change" when `state` has changed. */
export const live = new EventTarget();
export const state = { stats: null, training: null, version: "" };

let eagerUntil = 0;
let timer = 0;

events.addEventListener("model", ({ detail }) => {
  state.version = detail.version;
  live.dispatchEvent(new Event("change"));
});

/** Poll often for a while, because feedback may have started a training. */
export function lookOften(minutes = 20) {
  eagerUntil = Date.now() + minutes * 60_000;
  return look();
}

const running = () => state.training?.state === "running";

/** Get the current model, the feedback counts and the training status. */
export async function look() {
  clearTimeout(timer);
  try {
    const [model, stats, training] = await Promise.all([ask("GET", "v1/model"), askIfThere("v1/feedback/stats"), askIfThere("v1/training")]);
    state.stats = stats;
    state.training = training;
    noticeModel(model.version);
    live.dispatchEvent(new Event("change"));
  } catch {
    // The banner reports a lost connection; polling continues.
  }
  clearTimeout(timer);
  timer = setTimeout(soon, Date.now() < eagerUntil || running() ? EAGER : CALM);
}

function soon() {
  if (document.visibilityState === "visible") look();
  else document.addEventListener("visibilitychange", look, { once: true });
}

/** The progress of the running training, or towards the next one; null if unknown. */
export function progress() {
  const { stats, training } = state;
  if (running()) {
    return h("div", { class: "tight" },
      h("p", null, h("strong", null, "A new model is being trained. "), training.stage ? `Now: ${training.stage}.` : ""),
      h("progress", { max: "1", value: training.progress ?? 0, "aria-label": "Training" }),
      stages(training.stages));
  }
  if (!stats?.needed) return null;
  const { new: counted = 0, needed = 0, due, held } = stats;
  const left = Math.max(0, needed - counted);
  return h("div", { class: "tight" },
    h("p", null, due || !left
      ? "There are enough corrections to train a new model."
      : `${plural(left, "more correction")} until the next training (${counted} of ${needed}).`),
    h("progress", { max: String(Math.max(1, needed)), value: Math.min(counted, needed), "aria-label": "Corrections until the next training" }),
    held ? h("p", { class: "soft small" }, `${plural(held, "correction")} waiting for review by a person.`) : null,
    outcome(training));
}

function outcome(training) {
  const result = {
    published: "The last training published a new model.",
    refused: "The model from the last training did not pass the checks, so it is not used.",
    failed: "The last training failed; the model did not change.",
  }[training?.state];
  return result ? h("p", { class: "soft small any" }, result, training.message ? ` ${training.message}` : "") : null;
}

export function stages(list) {
  if (!list?.length) return null;
  return h("ol", { class: "stages" }, list.map((stage) =>
    h("li", { class: stage.state },
      stage.name,
      h("span", { class: "vh" }, ` (${stage.state})`),
      Number.isFinite(stage.seconds) ? h("span", { class: "num small" }, duration(stage.seconds)) : null)));
}
