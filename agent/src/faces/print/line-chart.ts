/** Lines of dots, two across and four down to a character, with their scale on the left and the ends of the x axis below. */
import type { ChartData } from "./chart-data.js";
import { plainStyle, type Style, type StyleName } from "./style.js";
import { fitText, pad, widthOf } from "./text.js";

const height = 10;
/** Bits of a braille character by row and column. @see The Unicode Standard, Braille Patterns */
const dots = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;
const colours: readonly StyleName[] = ["cyan", "yellow", "green", "red", "magenta", "blue"];

interface Scale {
  readonly least: number;
  readonly greatest: number;
}

/** Every series in one frame, told apart by colour; in one of its own where there is no colour, or too few. */
export function drawLines({ labels, series }: ChartData, width: number, style: Style): string {
  if (series.length === 1 || (style !== plainStyle && series.length <= colours.length)) {
    return drawFrame({ labels, series }, width, style);
  }
  return series
    .map((one) => `${style("bold", fitText(one.name, width))}\n${drawFrame({ labels, series: [one] }, width, style)}`)
    .join("\n");
}

function drawFrame({ labels, series }: ChartData, width: number, style: Style): string {
  const known = series.flatMap(({ values }) => values.filter((value) => value !== null));
  const least = known.reduce((found, value) => Math.min(found, value), known[0] ?? 0);
  const greatest = known.reduce((found, value) => Math.max(found, value), known[0] ?? 0);
  const marks = [greatest, (least + greatest) / 2, least].map(toMark);
  const margin = Math.min(Math.max(...marks.map(widthOf)), Math.max(3, Math.floor(width / 3)));
  const room = Math.max(4, width - margin - 2);
  const cells = Array.from({ length: height }, () => Array.from({ length: room }, () => ({ bits: 0, series: 0 })));
  for (const [index, { values }] of series.entries()) {
    plot(values, room * 2, { least, greatest }, (x, y) => {
      const cell = cells[Math.floor(y / 4)]?.[Math.floor(x / 2)];
      if (cell === undefined) return;
      cell.bits |= dots[y % 4]?.[x % 2] ?? 0;
      cell.series = index;
    });
  }
  const lines = cells.map((row, index) => {
    const mark =
      index === 0 ? marks[0] : index === height - 1 ? marks[2] : index === Math.floor(height / 2) ? marks[1] : "";
    const drawn = row.map(({ bits, series: of }) =>
      bits === 0 ? " " : style(colours[of % colours.length] ?? "cyan", String.fromCodePoint(0x2800 + bits)),
    );
    return `${style("dim", `${pad(fitText(mark ?? "", margin), margin, "right")} ┤`)}${drawn.join("").trimEnd()}`;
  });
  return [
    ...lines,
    ...below(labels, margin, room, style),
    ...legend(
      series.map(({ name }) => name),
      width,
      style,
    ),
  ].join("\n");
}

/** Calls `dot` for every point of the line through the values; a missing value breaks it. */
function plot(
  values: readonly (number | null)[],
  columns: number,
  scale: Scale,
  dot: (x: number, y: number) => void,
): void {
  const rows = height * 4;
  const toX = (index: number): number =>
    values.length < 2 ? 0 : Math.round((index * (columns - 1)) / (values.length - 1));
  const toY = (value: number): number =>
    scale.greatest === scale.least
      ? rows / 2
      : Math.round(((scale.greatest - value) / (scale.greatest - scale.least)) * (rows - 1));
  let last: readonly [number, number] | undefined;
  for (const [index, value] of values.entries()) {
    if (value === null) {
      last = undefined;
      continue;
    }
    const point = [toX(index), toY(value)] as const;
    const from = last ?? point;
    const steps = Math.max(Math.abs(point[0] - from[0]), Math.abs(point[1] - from[1]), 1);
    for (let step = 0; step <= steps; step += 1) {
      dot(
        Math.round(from[0] + ((point[0] - from[0]) * step) / steps),
        Math.round(from[1] + ((point[1] - from[1]) * step) / steps),
      );
    }
    last = point;
  }
}

function below(labels: readonly string[], margin: number, room: number, style: Style): string[] {
  const [first = ""] = labels;
  const last = labels.at(-1) ?? "";
  const half = Math.floor(room / 2) - 1;
  const left = fitText(first, Math.max(1, half));
  const right = labels.length < 2 ? "" : fitText(last, Math.max(1, half));
  const gap = " ".repeat(Math.max(1, room - widthOf(left) - widthOf(right)));
  return [style("dim", `${" ".repeat(margin + 2)}${left}${gap}${right}`.trimEnd())];
}

function legend(names: readonly string[], width: number, style: Style): string[] {
  if (names.length < 2) return [];
  return names.map(
    (name, index) =>
      `${style(colours[index % colours.length] ?? "cyan", "──")} ${fitText(name, Math.max(1, width - 3))}`,
  );
}

/** A number of the scale, with the digits its size deserves. */
function toMark(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e15 || (size > 0 && size < 1e-3)) return value.toExponential(1);
  return String(Number(value.toFixed(size >= 100 ? 0 : size >= 1 ? 2 : 4)));
}
