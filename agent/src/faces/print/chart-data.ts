/** What a chart shows, whichever its kind. */

/** A column of numbers; null where there is none. */
export interface Series {
  readonly name: string;
  readonly values: readonly (number | null)[];
  /** The cells as they came. */
  readonly texts: readonly string[];
}

/** Labels along the x axis, and a value of each series for every label. */
export interface ChartData {
  readonly labels: readonly string[];
  readonly series: readonly Series[];
}
