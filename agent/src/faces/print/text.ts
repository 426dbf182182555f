/**
 * Text from a database on a terminal: nothing in it may move the cursor, hide or reorder what stands around it, and its
 * width is counted as a terminal shows it. Knows nothing of tables or results.
 */
import stringWidth from "fast-string-width";

/** Controls, format characters, line separators, lone surrogates and what else a terminal does not show. */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
/** Emoji with what belongs to them (variation selectors, joiners), which are kept, or one unseen character. */
const emojiOrUnseen =
  /(\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\ufe0f)?(?:\u200d\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\ufe0f)?)*)|[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
const short: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** The text on one line with every character visible: controls as `\n`, `\t` or `\u001b`. */
export function toVisible(text: string): string {
  return unseen.test(text)
    ? text.replace(emojiOrUnseen, (whole, emoji?: string) => emoji ?? escapeUnseen(whole))
    : text;
}

/** The same for a text of several lines, which stay lines. */
export const toVisibleLines = (text: string): string =>
  text.replaceAll("\r\n", "\n").replaceAll("\t", "  ").split("\n").map(toVisible).join("\n");

function escapeUnseen(character: string): string {
  const known = short[character];
  if (known !== undefined) return known;
  let escaped = "";
  for (let index = 0; index < character.length; index += 1) {
    escaped += `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }
  return escaped;
}

/** Columns of a terminal a text takes. */
export const widthOf = (text: string): number => (/^[\x20-\x7e]*$/.test(text) ? text.length : stringWidth(text));

/** The text in at most this many columns, with `…` where something was cut. */
export function fitText(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = "";
  let used = 1;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    used += widthOf(segment);
    if (used > width) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** The text in exactly this many columns. */
export function pad(text: string, width: number, alignment: "left" | "right" = "left"): string {
  const space = " ".repeat(Math.max(0, width - widthOf(text)));
  return alignment === "left" ? text + space : space + text;
}
