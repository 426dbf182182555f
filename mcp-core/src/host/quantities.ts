/** Numbers, durations and sizes as people write them (`8`, `30s`, `64k`), as schemas. They know nothing of the settings that use them. */
import * as v from "valibot";

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const sizeUnits: Readonly<Record<string, number>> = { "": 1, b: 1, k: 1_024, m: 1_048_576, g: 1_073_741_824 };

/** Bounds of a quantity, inclusive, of a number, in milliseconds or in bytes. */
export interface QuantityBounds {
  readonly min?: number;
  readonly max?: number;
}

/** A whole number. */
export const wholeSchema = ({ min = 0, max = Number.MAX_SAFE_INTEGER }: QuantityBounds = {}) =>
  v.pipe(
    v.number("must be a whole number"),
    v.integer("must be a whole number"),
    v.minValue(min, `must be at least ${min}`),
    v.maxValue(max, `must be at most ${max}`),
  );

/** Milliseconds, written `500ms`, `30s`, `5m`, `2h`, `1d`, or a plain number of milliseconds. */
export function durationSchema(bounds: QuantityBounds = {}) {
  return quantity(
    /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/i,
    durationUnits,
    "a duration such as 500ms, 30s, 5m or 2h",
    bounds,
  );
}

/** Bytes, written `64k`, `10mb`, `1g` (powers of 1,024), or a plain number of bytes. */
export function sizeSchema(bounds: QuantityBounds = {}) {
  return quantity(/^(\d+(?:\.\d+)?)\s*(b|k|m|g)(?:i?b)?$/i, sizeUnits, "a size such as 4096, 64k or 10m", bounds);
}

function quantity(pattern: RegExp, units: Readonly<Record<string, number>>, words: string, bounds: QuantityBounds) {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = bounds;
  const range = bounds.max === undefined ? `of at least ${min}` : `between ${min} and ${max}`;
  return v.pipe(
    v.union([v.number(), v.string()], `must be ${words}`),
    v.rawTransform<string | number, number>(({ dataset, addIssue, NEVER }) => {
      const amount = toAmount(dataset.value, pattern, units);
      if (amount !== undefined && amount >= min && amount <= max) return amount;
      addIssue({ message: amount === undefined ? `must be ${words}` : `must be ${words}, ${range}` });
      return NEVER;
    }),
  );
}

function toAmount(
  value: string | number,
  pattern: RegExp,
  units: Readonly<Record<string, number>>,
): number | undefined {
  const text = String(value).trim();
  if (/^\d+$/.test(text)) return Number(text);
  const [, digits, unit] = pattern.exec(text) ?? [];
  const factor = units[unit?.toLowerCase() ?? "none"];
  return digits === undefined || factor === undefined ? undefined : Math.round(Number(digits) * factor);
}
