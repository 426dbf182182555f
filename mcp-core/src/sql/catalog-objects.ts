/** What a catalogue tells of a database: objects that are found, and tables described. Types of the port, and nothing else. */

/** What can be searched for. */
export type ObjectType = "schema" | "table" | "view" | "column" | "index" | "function";

/** A search over the catalogue. */
export interface ObjectSearch {
  /** Case-insensitive; `%`, `_`, `*` and `?` are wildcards, without any the text matches anywhere in the name. */
  readonly pattern?: string | undefined;
  readonly kind?: ObjectType | undefined;
  readonly schema?: string | undefined;
  /** At most this many objects, tables first, then by name. */
  readonly limit: number;
}

/** An object found. `table` is set for columns and indexes. */
export interface FoundObject {
  readonly kind: ObjectType;
  readonly schema: string;
  readonly name: string;
  readonly table?: string | undefined;
  /** A column's type, an index's definition, a function's arguments and result. */
  readonly definition?: string | undefined;
  /** The planner's row estimate of a table; absent where the database has none. */
  readonly rowEstimate?: number | undefined;
  readonly comment?: string | undefined;
}

/** A table by its schema (the default one when absent) and name, unquoted. */
export interface TableName {
  readonly schema?: string | undefined;
  readonly name: string;
}

/** One column as `describe_table` shows it. */
export interface ColumnDescription {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  /** The default or generation expression, in the database's words. */
  readonly default?: string | undefined;
  /** The values of an enum (or SET) type, in order. */
  readonly values?: readonly string[] | undefined;
  readonly comment?: string | undefined;
}

/** A foreign key, from whichever side it is seen. */
export interface ForeignKey {
  readonly name: string;
  readonly columns: readonly string[];
  readonly schema: string;
  readonly table: string;
  readonly referencedColumns: readonly string[];
  /** Such as `ON DELETE CASCADE`; absent for the default. */
  readonly actions?: string | undefined;
}

/** Everything about one table or view that helps writing SQL against it. */
export interface TableDescription {
  readonly schema: string;
  readonly name: string;
  /** `table`, `view`, `materialized view`, `partitioned table`, `foreign table`, … */
  readonly kind: string;
  readonly comment?: string | undefined;
  readonly rowEstimate?: number | undefined;
  /** Data plus indexes, in bytes. */
  readonly sizeBytes?: number | undefined;
  readonly columns: readonly ColumnDescription[];
  readonly primaryKey?: readonly string[] | undefined;
  /** Definitions of the unique and check constraints, in the database's words. */
  readonly constraints: readonly string[];
  readonly indexes: readonly { readonly name: string; readonly definition: string }[];
  /** This table's own references to others. */
  readonly references: readonly ForeignKey[];
  /** Other tables' references to this one; `schema` and `table` name the other side. */
  readonly referencedBy: readonly ForeignKey[];
  /** The query of a view. */
  readonly viewDefinition?: string | undefined;
}
