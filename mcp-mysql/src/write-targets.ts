/**
 * The targets of a write as the catalogue knows them: their keys, triggers, followers, and whether their engine can take
 * a write back. A view stands for the tables it reads. Asked anew for every write.
 */
import type { CallOptions } from "@database-interface/mcp-core/sql";
import { learnTables, type TableKey } from "./hidden-tables.js";
import { toLiteral } from "./parameters.js";
import type { Source } from "./source.js";
import type { WrittenName } from "./token-reader.js";
import { ask } from "./transaction.js";
import { type Trigger, whyTriggersKeep } from "./write-triggers.js";

/** A target that is there. */
export interface Target extends TableKey {
  readonly isTable: boolean;
  /** Its rows lie on another server, or in files of another format. */
  readonly isRemote: boolean;
  /** The columns of its primary key, in order. */
  readonly key: readonly string[];
  /** Those that the statement sets off. */
  readonly triggers: readonly Trigger[];
  /** Tables whose rows follow by their foreign keys. */
  readonly followers: readonly string[];
  /** Why its own engine cannot roll a write back, a sentence. */
  readonly noRollback?: string | undefined;
}

const remoteEngines = new Set(["FEDERATED", "CONNECT", "SPIDER", "S3", "MRG_MYISAM", "NDBCLUSTER"]);

/** Events of triggers that a statement of this kind sets off. */
const events: Readonly<Record<string, string>> = {
  insert: "'INSERT', 'UPDATE'",
  replace: "'INSERT', 'DELETE'",
  update: "'UPDATE'",
  delete: "'DELETE'",
};

/** What is there of these names, in their order. */
export async function learnTargets(
  { pool, database }: Source,
  names: readonly WrittenName[],
  kind: string,
  options: CallOptions,
): Promise<readonly Target[]> {
  const keys = names.map(({ schema = database, name }) => ({ schema, name }));
  const behind = [...(await learnTables(pool, [], keys, options)).values()].flatMap(({ reads }) => reads);
  const asked = [...keys, ...behind];
  const questions = asked.flatMap((key) => questionsOf(key, events[kind]));
  const [engineRows = [], ...answers] = await ask(pool, [enginesSql, ...questions], options);
  const transactional = new Set(engineRows.map(([engine]) => engine));
  return asked.flatMap((key, index): readonly Target[] => {
    const [facts = [], keyRows = [], triggerRows = [], followerRows = []] = answers.slice(index * 4, index * 4 + 4);
    const [found] = facts;
    if (found === undefined) return [];
    const [type, engine] = found;
    const isView = type === "VIEW";
    const takesBack = isView || transactional.has(engine ?? "");
    return [
      {
        ...key,
        isTable: !isView,
        isRemote: remoteEngines.has((engine ?? "").toUpperCase()),
        key: keyRows.map(([column]) => column ?? ""),
        triggers: triggerRows.map(([name, body]) => ({ name: name ?? "", body: body ?? "" })),
        followers: toShortList(followerRows.map(([table]) => table ?? "")),
        ...(takesBack ? {} : { noRollback: `${key.name} is kept by the engine ${engine}, which takes nothing back.` }),
      },
    ];
  });
}

/** Why a write to these cannot be rolled back, a sentence. */
export async function whyKept(
  { pool }: Source,
  targets: readonly Target[],
  options: CallOptions,
): Promise<string | undefined> {
  const own = targets.find(({ noRollback }) => noRollback !== undefined)?.noRollback;
  const triggers = targets.flatMap((target) => target.triggers);
  return own ?? (await whyTriggersKeep(pool, triggers, options));
}

const shownFollowers = 10;

const toShortList = (names: readonly string[]): readonly string[] =>
  names.length <= shownFollowers
    ? names
    : [...names.slice(0, shownFollowers), `${names.length - shownFollowers} more tables`];

const enginesSql = "SELECT engine FROM information_schema.engines WHERE transactions = 'YES'";

function questionsOf({ schema, name }: TableKey, setOff: string | undefined): readonly string[] {
  const [inSchema, isNamed] = [toLiteral(schema), toLiteral(name)];
  const where = `table_schema = ${inSchema} AND table_name = ${isNamed}`;
  return [
    `SELECT table_type, engine FROM information_schema.tables WHERE ${where}`,
    `SELECT column_name FROM information_schema.statistics WHERE ${where} AND index_name = 'PRIMARY' ORDER BY seq_in_index`,
    setOff === undefined
      ? "SELECT NULL, NULL LIMIT 0"
      : `SELECT trigger_name, action_statement FROM information_schema.triggers
          WHERE event_object_schema = ${inSchema} AND event_object_table = ${isNamed} AND event_manipulation IN (${setOff})
          ORDER BY trigger_name`,
    `SELECT DISTINCT table_name FROM information_schema.referential_constraints
      WHERE unique_constraint_schema = ${inSchema} AND referenced_table_name = ${isNamed}
        AND (delete_rule IN ('CASCADE', 'SET NULL') OR update_rule IN ('CASCADE', 'SET NULL')) ORDER BY table_name`,
  ];
}
