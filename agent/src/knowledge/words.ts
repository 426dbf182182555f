/** Words as they are compared: names taken apart, plurals and endings taken off, and how alike two texts are by them. */

/** Words that say nothing about a schema. */
const stopWords = new Set(
  (
    "a about all an and any are as at be been between by can count did do does each every find for from get give had has " +
    "have how i in into is it its list many me more most much my no not number of off on or our out over per please " +
    "show so some tell than that the their them there these they this those to under up us was we were what when where " +
    "which who whose why will with without would you your"
  ).split(" "),
);

/** The words of a text or a name: `customerOrders_2024` is customer, order and 2024. */
export function wordsOf(text: string): string[] {
  return text
    .replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "" && !stopWords.has(word))
    .map(stemOf);
}

/** Enough of English endings for names to meet questions; other languages keep theirs. */
function stemOf(word: string): string {
  if (word.length < 4 || /\d/.test(word)) return word;
  if (word.endsWith("ies")) return `${word.slice(0, -3)}y`;
  if (/(?:ss|sh|ch|x|z)es$/.test(word)) return word.slice(0, -2);
  if (word.endsWith("s") && !/(?:ss|us|is)$/.test(word)) return word.slice(0, -1);
  if (word.length > 5 && word.endsWith("ing")) return word.slice(0, -3);
  if (word.length > 4 && word.endsWith("ed")) return word.slice(0, -2);
  return word;
}

/** Whether two words mean the same or one begins with the other: 1, or less for a mere beginning. */
export function likeness(a: string, b: string): number {
  if (a === b) return 1;
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return short.length >= 4 && long.startsWith(short) ? short.length / long.length / 2 + 0.25 : 0;
}

/** How alike two texts are by their words, from 0 to 1. */
export function similarity(a: string, b: string): number {
  const [left, right] = [new Set(wordsOf(a)), new Set(wordsOf(b))];
  if (left.size === 0 || right.size === 0) return 0;
  const shared = [...left].filter((word) => right.has(word)).length;
  return shared / Math.sqrt(left.size * right.size);
}

/** Tokens of a text, estimated on the safe side: tokenisers differ by model, and none is worth its megabytes here. */
export const tokensOf = (text: string): number => Math.ceil(text.length / 3.5);
