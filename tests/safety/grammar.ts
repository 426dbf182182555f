/**
 * Statements by a grammar: every query has an int `a` and a text `b`, so that any fits into any other. An engine brings
 * its own words as templates of tokens with holes. Harm, where it is asked for, stands in one place of an otherwise
 * ordinary statement.
 */

/** A number from 0 to below the sides. */
export type Dice = (sides: number) => number;

/** Holes: #i int, #t text, #b truth, #q query, #s literal, #a and #w the columns at hand, #n the name of the rows. */
export interface Dialect {
  readonly ints: readonly string[];
  readonly texts: readonly string[];
  readonly truths: readonly string[];
  readonly literals: readonly string[];
  /** What stands in FROM, with its name. */
  readonly sources: readonly string[];
  /** What may be around a whole query, which is `#q`. */
  readonly wrappers: readonly string[];
  /** What may stand between two tokens. */
  readonly gaps: readonly string[];
  /** The same name written differently. */
  dress(name: string, dice: Dice): string;
  readonly harm: Harm;
}

/** What must be refused wherever it stands. */
export interface Harm {
  readonly ints: readonly string[];
  readonly sources: readonly string[];
  /** What is wrong behind any query. */
  readonly tails: readonly string[];
  /** Whole statements around a query. */
  readonly statements: readonly string[];
}

export interface Generated {
  readonly sql: string;
  readonly isHarmful: boolean;
}

/** All choices of one statement come from one number (mulberry32). */
export function createDice(seed: number): Dice {
  let state = seed >>> 0;
  return (sides) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

/** One statement; three of ten hold harm. */
export function generate(dialect: Dialect, seed: number): Generated {
  const dice = createDice(seed);
  const isHarmful = dice(10) < 3;
  const kind = isHarmful ? pick(dice, ["ints", "ints", "sources", "tails", "statements"] as const) : undefined;
  let isPlaced = false;
  let names = 0;

  /** The engine's templates, or once the harmful ones of this kind. */
  function templates(own: "ints" | "texts" | "truths" | "sources"): readonly string[] {
    const isNow = (own === "ints" || own === "sources") && own === kind && !isPlaced && dice(3) === 0;
    if (!isNow) return dialect[own];
    isPlaced = true;
    return dialect.harm[own];
  }

  function fill(template: string, depth: number, rows: string): readonly string[] {
    return template.split(" ").flatMap((token): readonly string[] => {
      switch (token) {
        case "#i":
          return depth <= 0 ? leaf([number(), "#a"], rows) : fill(pick(dice, templates("ints")), depth - 1, rows);
        case "#t":
          return depth <= 0 ? leaf(["#s", "#w"], rows) : fill(pick(dice, dialect.texts), depth - 1, rows);
        case "#b":
          return fill(depth <= 0 ? "#i > #i" : pick(dice, dialect.truths), depth - 1, rows);
        case "#q":
          return query(depth - 1);
        case "#s":
          return [pick(dice, dialect.literals)];
        case "#a":
          return [dialect.dress(rows, dice), ".", dialect.dress("a", dice)];
        case "#w":
          return [dialect.dress(rows, dice), ".", dialect.dress("b", dice)];
        case "#n":
          return [rows];
        default:
          return [/^[A-Z]+$/.test(token) && dice(2) === 0 ? token.toLowerCase() : token.replace("·", " ")];
      }
    });
  }

  const number = () => String(dice(40));
  const leaf = (choices: readonly string[], rows: string) => fill(pick(dice, choices), 0, rows);

  function query(depth: number): readonly string[] {
    const rows = `s${names++}`;
    const source = () => fill(pick(dice, depth <= 0 ? dialect.sources.slice(0, 2) : templates("sources")), depth, rows);
    const part = (template: string) => fill(template, depth, rows);
    const shape = dice(8);
    if (shape === 0 && depth > 0) {
      const union = pick(dice, ["UNION ALL", "UNION"]).split(" ");
      // Not every engine takes WITH in the arms themselves.
      const arm = () => ["SELECT", "*", "FROM", ...bracketed(query(depth - 1)), "AS", `u${names++}`];
      return [...arm(), ...union, ...arm()];
    }
    const limit = ["LIMIT", String(1 + dice(20))];
    if (shape === 1) {
      const grouped = part("SELECT count( * ) AS a , max( #w ) AS b FROM");
      return [...grouped, ...source(), ...part("WHERE #b GROUP BY #a HAVING count( * ) > 0"), ...limit];
    }
    if (shape === 2 && depth > 0) {
      const common = `c${names++}`;
      const read = fill("SELECT #a , #w FROM", 0, common);
      return ["WITH", common, "AS", ...bracketed(query(depth - 1)), ...read, common, ...limit];
    }
    if (shape === 3 && depth > 0) {
      const other = `s${names++}`;
      const joined = fill(pick(dice, dialect.sources), depth - 1, other);
      const on = ["ON", ...fill("#a", 0, rows), "=", ...fill("#a", 0, other)];
      const kind = pick(dice, ["JOIN", "LEFT JOIN", "INNER JOIN"]).split(" ");
      return [...part("SELECT #i AS a , #t AS b FROM"), ...source(), ...kind, ...joined, ...on, ...limit];
    }
    const head = part(pick(dice, ["SELECT #i AS a , #t AS b FROM", "SELECT DISTINCT #i AS a , #t AS b FROM"]));
    return [...head, ...source(), ...part(pick(dice, ["WHERE #b", "WHERE #b", "ORDER BY 1"])), ...limit];
  }

  let tokens = query(1 + dice(3));
  if (kind === "statements") tokens = around(pick(dice, dialect.harm.statements), tokens);
  else if (kind === "tails") tokens = [...tokens, ...pick(dice, dialect.harm.tails).split(" ")];
  else {
    if (isHarmful && !isPlaced) {
      const own = kind === "sources" ? "sources" : "ints";
      const harm = fill(pick(dice, dialect.harm[own]), 1, "s9");
      tokens =
        own === "ints" ? ["SELECT", ...harm, ...pick(dice, [" ", "AS x"]).split(" ")] : ["SELECT * FROM", ...harm];
    }
    tokens = around(pick(dice, dialect.wrappers), tokens);
  }
  const sql = tokens.map((token) => token + pick(dice, dialect.gaps)).join("");
  return { sql, isHarmful };
}

const bracketed = (tokens: readonly string[]): readonly string[] => ["(", ...tokens, ")"];

const around = (template: string, inner: readonly string[]): readonly string[] =>
  template.split(" ").flatMap((token) => (token === "#q" ? inner : [token]));

export const pick = <Item>(dice: Dice, items: readonly Item[]): Item => {
  const item = items[dice(items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
};
