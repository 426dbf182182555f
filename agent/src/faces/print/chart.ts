/**
 * Numbers of a result as bars, lines or one row of blocks, in the columns there are. Values are rounded for drawing
 * only: what stands next to a bar is the cell as it came.
 */
import { AgentError } from "../../errors.js";
import type { Cell, QueryResult } from "../../result.js";
import type { ChartData, Series } from "./chart-data.js";
import { drawLines } from "./line-chart.js";
import { plainStyle, type Style } from "./style.js";
import { isNumericType, toCellText } from "./table.js";
import { fitText, pad, toVisible, widthOf } from "./text.js";

/** The kinds of charts. */
export const chartKinds = ["bar", "line", "spark"] as const;
/** The kinds of charts. */
export type ChartKind = (typeof chartKinds)[number];

/** What is drawn, and where. */
export interface ChartOptions {
  /** By default lines over time and over many rows, else bars. */
  readonly kind?: ChartKind | undefined;
  /** Columns by name: the label first, then the values; or values alone. Chosen by their types by default. */
  readonly columns?: readonly string[] | undefined;
  /** Columns of the terminal. Default 80. */
  readonly width?: number | undefined;
  readonly style?: Style | undefined;
}

const mostBars = 100;
const mostBarsByDefault = 40;
const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const blocks = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/** A chart of a result. @throws AgentError `usage` when it has no number, or no column of a name */
export function toChart(result: QueryResult, options: ChartOptions = {}): string {
  const { width = 80, style = plainStyle } = options;
  const labelAt = chooseLabel(result, options.columns);
  const data: ChartData = {
    labels: result.rows.map((row, index) =>
      labelAt === undefined ? `${index + 1}` : toCellText(row[labelAt] ?? null),
    ),
    series: chooseValues(result, labelAt, options.columns).map((at) => toSeries(result, at)),
  };
  switch (options.kind ?? defaultKind(result, labelAt)) {
    case "bar":
      return toBars(data, width, style);
    case "line":
      return drawLines(data, width, style);
    case "spark":
      return toSparks(data, width, style);
  }
}

function defaultKind({ rows, types }: QueryResult, labelAt: number | undefined): ChartKind {
  const isTime =
    labelAt !== undefined &&
    (/date|time|year/i.test(types[labelAt] ?? "") || /^\d{4}-\d\d\b/.test(String(rows[0]?.[labelAt] ?? "")));
  return (isTime && rows.length > 2) || rows.length > mostBarsByDefault ? "line" : "bar";
}

/** The first column that holds no numbers; of numbers only, the first when there are several. */
function chooseLabel(result: QueryResult, chosen: readonly string[] | undefined): number | undefined {
  if (chosen !== undefined) {
    const [first = ""] = chosen;
    const at = columnAt(result, first);
    return chosen.length > 1 || !isNumeric(result, at) ? at : undefined;
  }
  const other = result.columns.findIndex((_, at) => !isNumeric(result, at));
  if (other !== -1) return other;
  return result.columns.length > 1 ? 0 : undefined;
}

function chooseValues(result: QueryResult, labelAt: number | undefined, chosen?: readonly string[]): number[] {
  const candidates = chosen?.map((name) => columnAt(result, name)) ?? result.columns.map((_, at) => at);
  const values = candidates.filter((at) => at !== labelAt);
  const numeric = values.filter((at) => isNumeric(result, at));
  const wrong = chosen === undefined ? undefined : values.find((at) => !numeric.includes(at));
  if (wrong !== undefined) throw new AgentError("usage", `The column ${result.columns[wrong]} holds no numbers.`);
  if (numeric.length === 0) {
    throw new AgentError("usage", "There is nothing to draw: the result has no column of numbers.", {
      hint: "Such as SELECT status, count(*) FROM orders GROUP BY status;",
    });
  }
  return numeric;
}

function columnAt({ columns }: QueryResult, name: string): number {
  const at = columns.findIndex((column) => column.toLowerCase() === name.toLowerCase());
  if (at !== -1) return at;
  throw new AgentError("usage", `The result has no column ${toVisible(name)}.`, {
    hint: `It has ${columns.map(toVisible).join(", ")}.`,
  });
}

/** Numbers by the type's name, or, where it tells nothing, by every cell. */
function isNumeric({ types, rows }: QueryResult, at: number): boolean {
  const cells = rows.map((row) => row[at] ?? null);
  if (cells.every((cell) => cell === null)) return false;
  const type = types[at] ?? "";
  return type === "" ? cells.every((cell) => cell === null || toNumber(cell) !== null) : isNumericType(type);
}

function toNumber(cell: Cell): number | null {
  if (cell === null || typeof cell === "boolean" || cell === "") return null;
  const number = Number(typeof cell === "string" ? cell.replace(/[$€£,\s]/g, "") : cell);
  return Number.isFinite(number) ? number : null;
}

const toSeries = ({ columns, rows }: QueryResult, at: number): Series => ({
  name: toVisible(columns[at] ?? ""),
  values: rows.map((row) => toNumber(row[at] ?? null)),
  texts: rows.map((row) => toCellText(row[at] ?? null)),
});

/** A line for each row, and of several series a block for each. */
function toBars({ labels, series }: ChartData, width: number, style: Style): string {
  const shown = labels.slice(0, mostBars);
  const more = labels.length - shown.length;
  const parts = series.map((one) => {
    const title = series.length > 1 ? [style("bold", fitText(one.name, width))] : [];
    return [...title, ...barsOf(shown, one, width, style)].join("\n");
  });
  return [...parts, ...(more > 0 ? [style("dim", fitText(`… ${more} more rows`, width))] : [])].join("\n");
}

function barsOf(labels: readonly string[], { values, texts }: Series, width: number, style: Style): string[] {
  const labelWidth = Math.min(widest(labels), Math.max(3, Math.floor(width * 0.4)));
  const textWidth = Math.min(widest(texts.slice(0, labels.length)), Math.max(3, Math.floor(width * 0.4)));
  const room = Math.max(0, width - labelWidth - textWidth - 3);
  const drawn = values.slice(0, labels.length).map((value) => value ?? 0);
  const low = drawn.reduce((least, value) => Math.min(least, value), 0);
  const high = drawn.reduce((most, value) => Math.max(most, value), 0);
  const columnsPer = high === low ? 0 : room / (high - low);
  const below = Math.round(-low * columnsPer);
  return labels.map((label, index) => {
    const value = values[index] ?? null;
    const size = Math.abs(value ?? 0) * columnsPer;
    const bar =
      (value ?? 0) < 0
        ? " ".repeat(Math.max(0, below - Math.round(size))) + style("red", "█".repeat(Math.round(size)))
        : " ".repeat(below) + style("cyan", toBar(size, room - below));
    const text =
      value === null
        ? style("dim", pad("NULL", textWidth))
        : pad(fitText(texts[index] ?? "", textWidth), textWidth, "right");
    return `${pad(fitText(label, labelWidth), labelWidth)} ${text} ${bar}`.trimEnd();
  });
}

function toBar(columns: number, room: number): string {
  const whole = Math.min(room, Math.floor(columns));
  const part = whole < room ? (eighths[Math.floor((columns - whole) * 8)] ?? "") : "";
  const bar = "█".repeat(whole) + part;
  return bar === "" && columns > 0 && room > 0 ? "▏" : bar;
}

/** One row of blocks for each series, with its least and greatest value. */
function toSparks({ series }: ChartData, width: number, style: Style): string {
  const nameWidth = Math.min(widest(series.map(({ name }) => name)), Math.max(3, Math.floor(width / 3)));
  return series
    .map(({ name, values, texts }) => {
      const known = values.filter((value) => value !== null);
      const least = known.reduce((found, value) => Math.min(found, value), Number.POSITIVE_INFINITY);
      const greatest = known.reduce((found, value) => Math.max(found, value), Number.NEGATIVE_INFINITY);
      const range = `${texts[values.indexOf(least)] ?? ""} … ${texts[values.indexOf(greatest)] ?? ""}`;
      const rest = width - nameWidth - 1;
      const ends = widthOf(range) + 8 > rest ? "" : range;
      const line = squeeze(values, ends === "" ? rest : rest - widthOf(ends) - 1)
        .map((value) => (value === null ? " " : blocks[levelOf(value, least, greatest, blocks.length)]))
        .join("");
      return `${pad(fitText(name, nameWidth), nameWidth)} ${style("cyan", line)} ${style("dim", ends)}`.trimEnd();
    })
    .join("\n");
}

/** The step of a value between the least and the greatest, from 0. */
const levelOf = (value: number, least: number, greatest: number, steps: number): number =>
  greatest === least
    ? Math.floor(steps / 2)
    : Math.min(steps - 1, Math.floor(((value - least) / (greatest - least)) * steps));

/** At most this many values: the mean of neighbours where there are more. */
function squeeze(values: readonly (number | null)[], room: number): readonly (number | null)[] {
  if (values.length <= room || room < 1) return room < 1 ? [] : values;
  return Array.from({ length: room }, (_, index) => {
    const from = Math.floor((index * values.length) / room);
    const to = Math.max(from + 1, Math.floor(((index + 1) * values.length) / room));
    const known = values.slice(from, to).filter((value) => value !== null);
    return known.length === 0 ? null : known.reduce((sum, value) => sum + value / known.length, 0);
  });
}

const widest = (texts: readonly string[]): number => texts.reduce((most, text) => Math.max(most, widthOf(text)), 1);
