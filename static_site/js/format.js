// Numbers, paths and times for people.

const WHOLE = new Intl.NumberFormat("en");

/** 0.8669 -> "87%"; never 0% or 100%, because nothing is certain or impossible. */
export function percent(share) {
  if (share >= 0.995) return ">99%";
  if (share < 0.005) return "<1%";
  return `${Math.round(share * 100)}%`;
}

/** 0.9571 -> "95.7%" */
export const exact = (share) => (Number.isFinite(share) ? `${(share * 100).toFixed(1)}%` : "–");

export const whole = (number) => (Number.isFinite(number) ? WHOLE.format(number) : "–");

export const decimal = (number, digits = 3) => (Number.isFinite(number) ? number.toFixed(digits) : "–");

/** The names of a path, root first. */
export const pathText = (path) => path.map((node) => node.name).join(" › ");

/** 75 -> "1 min 15 s" */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A time in the user's time zone. */
export function moment(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.valueOf())) return "";
  return date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

export const plural = (count, singular, many = `${singular}s`) => `${whole(count)} ${count === 1 ? singular : many}`;
