/** Colours, where the terminal and its user want them. */

/** The styles there are. */
export type StyleName = "bold" | "dim" | "red" | "green" | "yellow" | "blue" | "magenta" | "cyan";
const codes: Readonly<Record<StyleName, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
};

/** Wraps a text in a style, or leaves it as it is. */
export type Style = (name: StyleName, text: string) => string;

/** No colour at all. */
export const plainStyle: Style = (_, text) => text;

/** Colours for a stream: a terminal, unless `NO_COLOR` is set or `TERM` is dumb; anything when `FORCE_COLOR` is. */
export function createStyle(
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>>,
): Style {
  const { NO_COLOR: none = "", FORCE_COLOR: force = "", TERM: term } = environment;
  const wanted = none === "" && ((stream.isTTY === true && term !== "dumb") || (force !== "" && force !== "0"));
  if (!wanted) return plainStyle;
  return (name, text) => `\u001b[${codes[name][0]}m${text}\u001b[${codes[name][1]}m`;
}
