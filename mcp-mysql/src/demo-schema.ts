/** The sample's neutral description as DDL for MySQL and MariaDB. Whole tables at once: keys, comments and references inline. */
import type { SampleColumn, SampleTable, SampleType, SampleView } from "@database-interface/mcp-core/sample";

/** One statement per table; a table follows those it refers to. */
export const createTables = (tables: readonly SampleTable[]): string[] => tables.map(createTable);

/** One statement per view. */
export const createViews = (views: readonly SampleView[]): string[] =>
  views.map((view) => `CREATE VIEW ${quoted(view.name)} AS ${view.query}`);

function createTable(table: SampleTable): string {
  const parts = [
    ...table.columns.map(definition),
    `PRIMARY KEY (${columnList(table.primaryKey)})`,
    ...table.indexes.map((index) => {
      const kind = index.unique === true ? "UNIQUE KEY" : "KEY";
      return `${kind} ${quoted(index.name)} (${columnList(index.columns)})`;
    }),
    ...table.references.map((reference, index) => {
      const name = quoted(`${table.name}_fk${index + 1}`);
      const target = `${quoted(reference.table)} (${columnList(reference.referencedColumns)})`;
      const action = reference.onDelete === undefined ? "" : ` ON DELETE ${reference.onDelete}`;
      return `CONSTRAINT ${name} FOREIGN KEY (${columnList(reference.columns)}) REFERENCES ${target}${action}`;
    }),
    ...table.checks.map((check) => `CONSTRAINT ${quoted(check.name)} CHECK (${check.expression})`),
  ];
  const options = `ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT=${text(table.comment)}`;
  return `CREATE TABLE ${quoted(table.name)} (\n  ${parts.join(",\n  ")}\n) ${options}`;
}

function definition(column: SampleColumn): string {
  const nullability = column.nullable === true ? "NULL" : "NOT NULL";
  const counting = column.identity === true ? " AUTO_INCREMENT" : "";
  const initial = column.default === undefined ? "" : ` DEFAULT ${column.default}`;
  const comment = column.comment === undefined ? "" : ` COMMENT ${text(column.comment)}`;
  return `${quoted(column.name)} ${sqlType(column.type)} ${nullability}${initial}${counting}${comment}`;
}

function sqlType(type: SampleType): string {
  switch (type.kind) {
    case "enum":
      return `ENUM(${type.values.map(text).join(",")})`;
    case "decimal":
      return `DECIMAL(${type.precision},${type.scale})`;
    case "varchar":
      return `VARCHAR(${type.length})`;
    case "timestamp":
      return "DATETIME"; // TIMESTAMP would turn with the session's time zone.
    default:
      return type.kind.toUpperCase();
  }
}

/** An identifier, quoted. */
export const quoted = (name: string): string => `\`${name.replaceAll("`", "``")}\``;
const text = (value: string): string => `'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
const columnList = (columns: readonly string[]): string => columns.map(quoted).join(", ");
