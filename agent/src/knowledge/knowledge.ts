/** All that is known for a question about a database, gathered: the schema it needs, values, notes and examples. */
import type { DatabaseCalls } from "../database-calls.js";
import { type Example, maxNotesCharacters, type Notes } from "./notes.js";
import { sampleValues } from "./sample-values.js";
import { createSchemaReader, type SchemaIndex } from "./schema-index.js";
import { packSchema, rank, type SchemaPack } from "./schema-pack.js";
import type { TableOutline } from "./table-outline.js";

/** What is known for a question. */
export interface Briefing {
  /** The schema as text, with values where columns hold categories. */
  readonly schema: string;
  readonly pack: SchemaPack;
  readonly index: SchemaIndex;
  readonly notes: string;
  readonly examples: readonly Example[];
}

/** Knows databases. */
export interface Knowledge {
  readonly notes: Notes;
  brief(source: string, question: string, signal: AbortSignal | undefined): Promise<Briefing>;
  /** Every table's name, as far as the catalogue lists them. */
  names(source: string, signal: AbortSignal | undefined): Promise<Pick<SchemaIndex, "names" | "isComplete">>;
  /** How near a database is to a question: 0 where no word of it is in its schema. */
  nearness(source: string, question: string, signal: AbortSignal | undefined): Promise<number>;
  /** Forgets a database's schema: it has changed, or what was read of it proved wrong. */
  forget(source: string): void;
}

/** What may be gathered. */
export interface KnowledgePolicy {
  readonly schemaTokens: number;
  /** Whether values of category-like columns are read. */
  readonly samples: boolean;
}

/** Tables whose values are read: those nearest to the question. */
const sampledTables = 8;

/** Knowledge through these calls. */
export function createKnowledge(databases: DatabaseCalls, notes: Notes, policy: KnowledgePolicy): Knowledge {
  const reader = createSchemaReader(databases);
  const sampled = new Map<string, Promise<ReadonlyMap<string, readonly string[]>>>();

  function valuesOf(source: string, table: TableOutline, signal: AbortSignal | undefined) {
    const key = JSON.stringify([source, table.text]);
    let found = sampled.get(key);
    if (found === undefined) {
      found = sampleValues(databases, source, table, signal);
      found.catch(() => sampled.delete(key));
      sampled.set(key, found);
    }
    return found;
  }

  async function withValues(source: string, pack: SchemaPack, question: string, signal: AbortSignal | undefined) {
    if (!policy.samples) return pack.text;
    const nearest = rank(pack.tables, question).slice(0, sampledTables);
    const texts = await Promise.all(
      nearest.map(
        async ({ table }) => [table.text, withValuesIn(table, await valuesOf(source, table, signal))] as const,
      ),
    );
    return texts.reduce((text, [plain, enriched]) => text.replace(plain, () => enriched), pack.text);
  }

  return {
    notes,
    async brief(source, question, signal) {
      const [index, known, examples] = await Promise.all([
        reader.read(source, question, signal),
        notes.read(source),
        notes.examples(source, question),
      ]);
      const pack = packSchema(index, question, policy.schemaTokens);
      const seen = known.slice(0, maxNotesCharacters);
      return { schema: await withValues(source, pack, question, signal), pack, index, notes: seen, examples };
    },
    names: (source, signal) => reader.list(source, signal),
    async nearness(source, question, signal) {
      const { tables } = await reader.read(source, question, signal);
      return rank(tables, question)[0]?.score ?? 0;
    },
    forget(source) {
      reader.forget(source);
      for (const key of sampled.keys()) if (key.startsWith(JSON.stringify([source]).slice(0, -1))) sampled.delete(key);
    },
  };
}

/** The outline with `values: …` behind the columns that have them; quoted as JSON, because they are data. */
function withValuesIn(table: TableOutline, values: ReadonlyMap<string, readonly string[]>): string {
  return table.columns.reduce((text, { name, line }) => {
    const found = values.get(name);
    if (found === undefined) return text;
    return text.replace(line, () => `${line} values: ${found.map((value) => JSON.stringify(value)).join(", ")}`);
  }, table.text);
}
