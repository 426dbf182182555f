/**
 * A table as a model is shown it, read from the text of `describe_table`: columns with types, values and comments, keys and
 * references. What a server hides stays marked as it is; sizes, defaults, indexes and the text of views are left out.
 */

/** A column in the outline. */
export interface ColumnOutline {
  /** As SQL writes it, quoted where it has to be. */
  readonly name: string;
  readonly type: string;
  /** True where the server denies or masks its values. */
  readonly isHidden: boolean;
  /** True where its possible values are listed. */
  readonly hasValues: boolean;
  readonly line: string;
}

/** A table or view. */
export interface TableOutline {
  /** As SQL writes it, with its schema. */
  readonly name: string;
  readonly kind: string;
  readonly comment: string;
  readonly columns: readonly ColumnOutline[];
  /** Tables it refers to, and that refer to it. */
  readonly neighbours: readonly string[];
  readonly rowEstimate: number | undefined;
  /** The outline as text. */
  readonly text: string;
}

/** Reads a description; undefined where the text is none. */
export function parseOutline(description: string): TableOutline | undefined {
  const [head = "", ...rest] = description.split("\n");
  const [, kind = "", name = "", about = "", comment = ""] =
    /^([a-z ]+?) ((?:"(?:[^"]|"")+"|`(?:[^`]|``)+`|[^\s"`])+)(?: \(([^)]*)\))?(?: -- (".*"))?$/.exec(head) ?? [];
  if (name === "") return undefined;
  const lines = rest.slice(0, rest.indexOf("as") === -1 ? undefined : rest.indexOf("as"));
  const columns = lines.filter((line) => line.startsWith("  ")).map(parseColumn);
  const keys = lines.filter((line) => /^(primary key|foreign key|referenced by|unique)\b/i.test(line));
  const rows = /about ([\d,]+) rows/.exec(about)?.[1];
  return {
    name,
    kind,
    comment,
    columns,
    neighbours: keys.flatMap((line) => /(?:references|referenced by) (\S+) \(/.exec(line)?.[1] ?? []),
    rowEstimate: rows === undefined ? undefined : Number(rows.replaceAll(",", "")),
    text: [
      `${kind} ${name}${rows === undefined ? "" : ` (about ${rows} rows)`}${comment === "" ? "" : ` -- ${comment}`}`,
      ...columns.map(({ line }) => line),
      ...keys.filter((line) => !line.startsWith("referenced by")),
    ].join("\n"),
  };
}

function parseColumn(line: string): ColumnOutline {
  const [, name = "", rest = ""] = /^ {2}("(?:[^"]|"")+"|`(?:[^`]|``)+`|\S+) ?(.*)$/.exec(line) ?? [];
  const shown = rest.replace(/ default .*?(?= in \('| -- "|$)/, "");
  const type = shown.split(/ not null| in \('| -- "| \(denied\)| \(masked/)[0] ?? "";
  return {
    name,
    type,
    isHidden: /\((?:denied|masked: \w+)\)/.test(rest.split(' -- "')[0] ?? ""),
    hasValues: / in \('/.test(shown),
    line: `  ${name} ${shown}`,
  };
}
