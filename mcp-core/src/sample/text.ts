/** Amounts and times as the text every database writes: whole cents and whole seconds in, exact text out. */

/** The first second of the sample's two years of orders, 2024-01-01 00:00:00. */
const epochMs = Date.UTC(2024, 0, 1);

export const secondsPerDay = 86_400;

/** Two years, 2024 and 2025. */
export const sampleDays = 731;

/** Cents as a decimal with two places, such as `-12.05`. */
export function moneyText(cents: number): string {
  const whole = Math.trunc(Math.abs(cents) / 100);
  return `${cents < 0 ? "-" : ""}${whole}.${String(Math.abs(cents) % 100).padStart(2, "0")}`;
}

/** Seconds after the sample's start as `YYYY-MM-DD hh:mm:ss`, no zone. */
export function timestampText(seconds: number): string {
  return new Date(epochMs + seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
}

/** Days after the sample's start as `YYYY-MM-DD`. */
export const dateText = (days: number): string => timestampText(days * secondsPerDay).slice(0, 10);
