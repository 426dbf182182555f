/** What a write would do: whether it may run at all, its targets as the catalogue knows them, and what to warn of. */
import {
  assertContext,
  type CallOptions,
  hidesColumns,
  onlyRows,
  remoteTarget,
  type Statement,
  systemTarget,
  unseenTarget,
  writeWarnings,
} from "@database-interface/mcp-core/sql";
import { assertNames, markersOf, toOneStatement } from "./guard.js";
import { inspectTokens } from "./guard-walk.js";
import { isRowWrite, toWriteShape } from "./guard-write.js";
import type { Token } from "./lexer.js";
import { type BoundStatement, bind } from "./parameters.js";
import type { Source } from "./source.js";
import type { WrittenName } from "./token-reader.js";
import { assertOthersHidden, assertSchemas } from "./visible-schemas.js";
import type { WriteShape } from "./write-shape.js";
import { learnTargets, type Target, whyKept } from "./write-targets.js";

/** A write that may run. */
export interface ApprovedWrite extends WriteShape, BoundStatement {
  readonly callerSql: string;
  readonly params: Statement["params"];
  readonly markers: readonly Token[];
  readonly targetTexts: readonly string[];
  /** Why it cannot be rolled back, a sentence. */
  readonly noRollback: string | undefined;
  /** The first target, where it is a table. */
  readonly table: Target | undefined;
}

const committedAtOnce =
  "The engine commits a change of the schema at once, so that it cannot be tried and rolled back.";

/**
 * @throws CodedError `not_allowed`, `syntax_error`, `sql_empty`, `multiple_statements`, `parameter_count`,
 *   `permission_denied`, `function_not_found`
 */
export async function approveWrite(source: Source, statement: Statement, options: CallOptions): Promise<ApprovedWrite> {
  if (source.columnRules.length > 0) throw hidesColumns();
  assertContext(source.sessionContext, options);
  const { sql, params } = statement;
  const tokens = toOneStatement(sql);
  const { shape, understood } = toWriteShape(sql, tokens);
  if (source.sessionContext.length > 0) {
    if (!isRowWrite(shape)) throw onlyRows();
    assertOthersHidden(tokens);
  }
  const inspection = inspectTokens(tokens, { understood });
  const markers = markersOf(tokens, params);
  const asked = shape.targets;
  for (const target of asked) assertTarget(source, target);
  if (source.schemas !== undefined) {
    const { places, commonTables } = shape.reads;
    await assertSchemas(source, tokens, places, commonTables, options);
  }
  await assertNames(source, inspection, options);

  const targets = await learnTargets(source, asked, shape.kind, options);
  for (const { name, isRemote } of targets) if (isRemote) throw remoteTarget(name);
  const warnings = targets.flatMap(({ name, triggers, followers }) => [
    ...(triggers.length > 0 ? [writeWarnings.triggers(name, triggers.map((trigger) => trigger.name).join(", "))] : []),
    ...(followers.length > 0 ? [writeWarnings.followers(name, followers.join(", "))] : []),
  ]);
  return {
    ...shape,
    ...bind(sql, tokens.at(-1)?.end ?? 0, markers, params),
    callerSql: sql,
    params,
    markers,
    warnings: [...shape.warnings, ...warnings],
    targetTexts: asked.map(({ schema, name }) => (schema === undefined ? name : `${schema}.${name}`)),
    noRollback: shape.commitsAtOnce ? committedAtOnce : await whyKept(source, targets, options),
    table: targets[0]?.isTable === true ? targets[0] : undefined,
  };
}

const systemSchemas = new Set(["mysql", "information_schema", "performance_schema", "sys"]);

/** Nothing of the system's, and nothing outside of the schemas that are shown. */
function assertTarget({ schemas, database }: Source, { schema = database, name }: WrittenName): void {
  const lower = schema.toLowerCase();
  if (systemSchemas.has(lower)) throw systemTarget(name);
  if (schemas !== undefined && !schemas.some((shown) => shown.toLowerCase() === lower)) throw unseenTarget(schemas);
}
