/** A command line that is being typed, taken apart as a shell would: quotes and backslashes, and the word at its end. */

/** The words before the last one, and that one as far as it is typed. */
export interface TypedLine {
  readonly before: readonly string[];
  readonly current: string;
}

/** Takes it apart; a quote that is still open ends with the line. */
export function parseLine(line: string): TypedLine {
  const words: string[] = [];
  let word = "";
  let quote = "";
  let isInWord = false;
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at] ?? "";
    if (character === "\\" && quote !== "'" && at + 1 < line.length) {
      at += 1;
      word += line[at];
      isInWord = true;
    } else if (quote !== "") {
      if (character === quote) quote = "";
      else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      isInWord = true;
    } else if (/\s/.test(character)) {
      if (isInWord) words.push(word);
      [word, isInWord] = ["", false];
    } else {
      word += character;
      isInWord = true;
    }
  }
  return { before: words.slice(1), current: word };
}
