/** Colours for SQL: keywords, numbers, quoted texts and comments. The text itself stays as it is, to the character. */
import type { Style } from "../print/style.js";
import { isKeyword } from "./keywords.js";
import { type Dialect, piecesOf } from "./statements.js";

/** The text with colours between its characters; only what stands from a position on, seen with what goes before it. */
export function highlightSql(text: string, dialect: Dialect, style: Style, from = 0): string {
  let at = 0;
  return piecesOf(text, dialect)
    .map(({ kind, text: piece }) => {
      const shown = piece.slice(Math.max(0, from - at));
      at += piece.length;
      if (kind === "comment") return shown === "" ? "" : style("dim", shown);
      if (kind === "quoted") return shown === "" ? "" : style(/^["`]/.test(piece) ? "cyan" : "green", shown);
      return shown.replace(/[A-Za-z_][\w$]*|(?<![\w$])\d[\d.]*/g, (word) => {
        if (isKeyword(word)) return style("blue", word);
        return /^\d/.test(word) ? style("magenta", word) : word;
      });
    })
    .join("");
}
