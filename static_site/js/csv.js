// Read and write tables: CSV with commas, semicolons or tabs, JSON lines or a JSON array, also gzipped.

const FORMULA = /^[=+\-@\t\r＝＋－＠]/;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f]/g;

/** A file that cannot be read; the message says why. */
export class TableError extends Error {}

/** Read a file: {columns, rows, note}; rows are objects by column, `note` says what was assumed. */
export async function readTable(file) {
  let bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = await unzip(bytes);
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) throw new TableError("This is a zip file or a spreadsheet. Save it as CSV and try again.");
  let note = "";
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    text = new TextDecoder("windows-1252").decode(bytes);
    note = "The file is not UTF-8; it was read as Windows-1252.";
  }
  if (text.includes("\0")) throw new TableError("This is not a text file. Choose a CSV or JSON lines file.");
  if (!text.trim()) throw new TableError("The file is empty.");
  const start = text.trimStart()[0];
  const table = start === "[" || start === "{" ? fromJson(text, start) : fromCsv(text);
  if (!table.rows.length) throw new TableError("The file has a header but no rows.");
  return { ...table, note };
}

async function unzip(bytes) {
  try {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new TableError("The gzipped file cannot be unpacked; it may be incomplete.");
  }
}

function fromJson(text, start) {
  let items;
  if (start === "[") {
    try {
      items = JSON.parse(text);
    } catch (error) {
      throw new TableError(`The file begins like a JSON array but is not valid JSON: ${error.message}`);
    }
  } else {
    items = text.split(/\r?\n/).map((line, at) => {
      if (!line.trim()) return undefined;
      try {
        return JSON.parse(line);
      } catch {
        return { bad: `Line ${at + 1} is not JSON.` };
      }
    }).filter((item) => item !== undefined);
    if (items.every((item) => item?.bad)) throw new TableError("The file begins like JSON lines, but no line is valid JSON.");
  }
  const columns = new Set();
  const rows = items.map((item) => {
    if (item?.bad && Object.keys(item).length === 1) return { values: {}, error: item.bad };
    if (item === null || typeof item !== "object" || Array.isArray(item)) return { values: {}, error: "This is not a JSON object." };
    for (const name of Object.keys(item)) columns.add(name);
    return { values: item };
  });
  return { columns: [...columns], rows };
}

function fromCsv(text) {
  const separator = guess(text);
  const [header, ...lines] = parse(text, separator);
  const columns = header.map((name, at) => name.trim() || `column ${at + 1}`).map((name, at, all) => (all.indexOf(name) < at ? `${name} (${at + 1})` : name));
  if (columns.length < 2 && !/\S/.test(columns[0])) throw new TableError("The first line must name the columns.");
  const rows = lines.filter((cells) => cells.length > 1 || cells[0].trim()).map((cells) => ({
    values: Object.fromEntries(columns.map((name, at) => [name, cells[at] ?? ""])),
    error: cells.length > columns.length ? `This row has ${cells.length} cells, but the header has ${columns.length}.` : undefined,
  }));
  return { columns, rows };
}

/** The separator that is most frequent in the first line, outside quotes. */
function guess(text) {
  const head = text.slice(0, 100_000).split(/\r?\n/, 1)[0].replace(/"[^"]*"/g, "");
  const counts = [",", ";", "\t"].map((separator) => [head.split(separator).length, separator]);
  return counts.sort((a, b) => b[0] - a[0])[0][1];
}

/** Parse CSV (RFC 4180): quoted cells may have line breaks and doubled quotes. */
export function parse(text, separator = ",") {
  const rows = [];
  let row = [];
  let at = 0;
  while (at <= text.length) {
    let cell = "";
    if (text[at] === '"') {
      let from = at + 1;
      for (;;) {
        const end = text.indexOf('"', from);
        if (end < 0) throw new TableError(`Row ${rows.length + 1} has a quote that is never closed.`);
        cell += text.slice(from, end);
        if (text[end + 1] !== '"') {
          at = end + 1;
          break;
        }
        cell += '"';
        from = end + 2;
      }
    }
    const from = at;
    while (at < text.length && text[at] !== separator && text[at] !== "\n" && text[at] !== "\r") at += 1;
    row.push(cell + text.slice(from, at));
    if (text[at] === separator) {
      at += 1;
      continue;
    }
    rows.push(row);
    row = [];
    if (at >= text.length) break;
    at += text[at] === "\r" && text[at + 1] === "\n" ? 2 : 1;
    if (at >= text.length) break;
  }
  return rows;
}

/** A value as a CSV cell that no spreadsheet runs as a formula. */
export function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const plain = text.replace(CONTROL, " ");
  const safe = FORMULA.test(text) && !/^-?\d+([.,]\d+)?$/.test(text) ? `'${plain}` : plain;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Rows as CSV, with a byte order mark so that spreadsheets read it as UTF-8. */
export function toCsv(rows) {
  return `\uFEFF${rows.map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}

const NAMES = {
  name: ["name", "title", "product name", "product title", "product", "item", "item name", "productname", "bezeichnung", "titel"],
  description: ["description", "desc", "body", "long description", "short description", "details", "product description", "text", "beschreibung"],
  manufacturer: ["manufacturer", "brand", "maker", "vendor", "make", "brand name", "hersteller", "marke"],
  price: ["price", "cost", "amount", "regular price", "sale price", "preis"],
};

/** The column for each field, recognised by its name; "" if there is none. */
export function recognise(columns) {
  const plain = columns.map((name) => name.toLowerCase().replace(/[^a-z]+/g, " ").trim());
  return Object.fromEntries(Object.entries(NAMES).map(([field, names]) => {
    for (const name of names) {
      const at = plain.indexOf(name);
      if (at >= 0) return [field, columns[at]];
    }
    return [field, ""];
  }));
}
