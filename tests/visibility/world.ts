/** A database in which something is to be hidden, of whichever engine, and what a statement may try there. */
import { type DatabaseKind, parseColumnRules, restrictDatabase } from "@database-interface/mcp-core/sql";
import type fc from "fast-check";
import type { TestDatabase } from "../support/databases.js";
import type { Hiding } from "./everything.js";

/** What every hidden value begins with. */
export const canary = "canary_";

/** One engine's database, filled, and its rows of statements. In statements DB stands for the schema that is shown, HR for the other. */
export interface World {
  readonly engine: string;
  readonly kind: DatabaseKind;
  create(): Promise<TestDatabase>;
  schemas(database: TestDatabase): { readonly shown: string; readonly hidden: string };
  fill(database: TestDatabase): Promise<void>;
  clear(database: TestDatabase): Promise<void>;
  /** What is denied in it. */
  readonly deny: readonly string[];
  /** Each gives the password of users, or another hidden value, where nothing hides it. All are refused. */
  readonly evasions: readonly string[];
  /** The same, but answered: without a row, as if there were no such value. */
  readonly emptied: readonly string[];
  /** They name nothing hidden: they run. The columns they give, in this order; nothing where they vary. */
  readonly harmless: readonly (readonly [sql: string, columns: string])[];
  /** A statement over several lines that is refused, and where it errs. */
  readonly refused: { readonly sql: string; readonly position: number };
  /** A statement with three values, the first of which it shows, and the name of user 2. */
  readonly parameters: string;
  /** The type of users.password. */
  readonly passwordType: string;
  /** They would show what is masked. */
  readonly unmasking: readonly string[];
  /** A plan in which what is computed stands as an expression. */
  readonly quotingPlan: string;
  /** They reach outside the schema that is shown. */
  readonly outside: readonly string[];
  /** They look as if they did. */
  readonly inside: readonly string[];
  /** SELECTs over users in which every place can hold a hidden column, a whole row or a star. */
  randomQuery(): fc.Arbitrary<string>;
}

/** The lines of a text that hold something. */
export const lines = (text: string): readonly string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

/** A filled database of a world, until disposed. */
export interface OpenWorld extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly shown: string;
  readonly hidden: string;
  /** A statement of the world's rows, with its schemas. */
  named(sql: string): string;
  /** The source as a server opens it. */
  open(hiding: Hiding): ReturnType<typeof restrictDatabase>;
}

export async function openWorld(world: World): Promise<OpenWorld> {
  const database = await world.create();
  const { shown, hidden } = world.schemas(database);
  await world.fill(database);
  return {
    database,
    shown,
    hidden,
    named: (sql) => sql.replaceAll("DB", shown).replaceAll("HR", hidden),
    open({ deny = [], mask = [], schemas }) {
      const columnRules = parseColumnRules(deny, mask);
      const log = { debug: () => {}, warn: () => {} };
      const options = { poolSize: 4, connectTimeoutMs: 5_000, schemas, columnRules, log };
      const { kind } = world;
      return restrictDatabase(kind.open(kind.parseSource(database.url, {}), options), { schemas, columnRules });
    },
    async [Symbol.asyncDispose]() {
      await world.clear(database);
      await database[Symbol.asyncDispose]();
    },
  };
}
