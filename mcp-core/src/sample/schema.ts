/**
 * How the sample shop is described without naming any product: neutral column types, keys, indexes and standard SQL
 * for what every engine reads the same way. A database folder renders this in its own dialect.
 */

/** A column type every engine of the suite has; `enum` carries the name some engines give the type. */
export type SampleType =
  | { readonly kind: "integer" | "bigint" | "boolean" | "date" | "timestamp" | "json" | "text" }
  | { readonly kind: "varchar"; readonly length: number }
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "enum"; readonly name: string; readonly values: readonly string[] };

/** One column. */
export interface SampleColumn {
  readonly name: string;
  readonly type: SampleType;
  /** Default false. */
  readonly nullable?: boolean;
  /** The database counts this column up when a row leaves it out. Default false. */
  readonly identity?: boolean;
  /** A default as an expression in standard SQL. */
  readonly default?: string;
  readonly comment?: string;
}

/** A reference to another table's primary or unique key. */
export interface SampleReference {
  readonly columns: readonly string[];
  readonly table: string;
  readonly referencedColumns: readonly string[];
  readonly onDelete?: "CASCADE" | "SET NULL";
}

/** An index besides the keys. */
export interface SampleIndex {
  readonly name: string;
  readonly columns: readonly string[];
  readonly unique?: boolean;
}

/** A rule for rows, in standard SQL. */
export interface SampleCheck {
  readonly name: string;
  readonly expression: string;
}

/** One table; a table follows every other one it refers to. */
export interface SampleTable {
  readonly name: string;
  readonly comment: string;
  readonly columns: readonly SampleColumn[];
  readonly primaryKey: readonly string[];
  readonly references: readonly SampleReference[];
  readonly indexes: readonly SampleIndex[];
  readonly checks: readonly SampleCheck[];
}

/** A view; its query is standard SQL. */
export interface SampleView {
  readonly name: string;
  readonly comment: string;
  readonly columns: readonly string[];
  readonly query: string;
}

/**
 * A value of a row. Decimals, dates (`YYYY-MM-DD`), timestamps (`YYYY-MM-DD hh:mm:ss`, no zone), enums and JSON are
 * text; integers are numbers; null is SQL NULL.
 */
export type SampleCell = string | number | boolean | null;

/** A row's values in the order of its table's columns. */
export type SampleRow = readonly SampleCell[];
