/** `execute`: one write statement, tried and rolled back, or run after a human's yes where the mode wants one. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { CodedError } from "../../host/errors.js";
import { type Call, chooseSource, Question, type Source, toStatement, withDeadline } from "../call.js";
import type { DryRun, Statement, WritePlan, Writing } from "../database.js";
import type { Caps } from "../limits.js";
import { permit } from "../policy.js";
import { createResultSink, createResultWriter } from "../result.js";
import { defineTool, sourceArgument } from "../tool.js";
import { toDryRunText, toOutcomeText, toPreview } from "../write-text.js";

const key = v.pipe(v.string(), v.minLength(1), v.maxLength(200));

export const execute = defineTool({
  name: "execute",
  set: "core",
  access: "write",
  needsSource: true,
  input: v.strictObject({
    sql: v.string(),
    params: v.optional(v.array(v.any())),
    dry_run: v.optional(v.pipe(v.boolean(), v.description("tries it and rolls it back"))),
    approval: v.optional(v.pipe(key, v.description("the human's code"))),
    idempotency_key: v.optional(v.pipe(key, v.description("makes a retry safe"))),
    source: sourceArgument,
  }),
  describe: ({ dialect }) =>
    `Run one statement that writes data or changes the schema (${dialect}). Use dry_run first. ` +
    "A human may be asked to allow it, or has to give a code for approval: never make one up.",
  async run({ sql, params, dry_run: isDry, approval, idempotency_key: idempotencyKey, source: name }, call) {
    const caps = permit(call.service.settings, "write");
    const statement = toStatement(sql, params);
    const source = chooseSource(call.service, name);
    const write: Write = { source, statement, caps, writing: writingOf(source), print: fingerprint(source, statement) };
    if (isDry === true) return await tryOut(write, call);

    const keyed = { key: idempotencyKey ?? "", caller: call.principal, fingerprint: write.print };
    const earlier = idempotencyKey === undefined ? undefined : call.service.outcomes.find(keyed);
    if (earlier !== undefined) return await earlier;
    const plan = await planned(write, call);
    if (call.service.settings.mode !== "write") await assertAllowed(write, plan, approval, call);
    const run = () => runOnce(write, plan, call);
    return idempotencyKey === undefined ? await run() : await call.service.outcomes.once(keyed, run);
  },
});

interface Write {
  readonly source: Source;
  readonly statement: Statement;
  readonly caps: Caps;
  readonly writing: Writing;
  readonly print: string;
}

const bounded = (call: Call, caps: Caps) => ({ ...caps, signal: withDeadline(call.signal, caps) });

async function planned({ statement, writing, caps }: Write, call: Call): Promise<WritePlan> {
  const plan = await writing.plan(statement, bounded(call, caps));
  call.record?.observe({ statementClass: plan.kind, tables: plan.targets });
  return plan;
}

async function tryOut(write: Write, call: Call): Promise<string> {
  const { statement, writing, caps } = write;
  const plan = await planned(write, call);
  return toDryRunText(plan, await dryRun(writing, statement, plan, caps, call));
}

async function dryRun(
  writing: Writing,
  statement: Statement,
  plan: WritePlan,
  caps: Caps,
  call: Call,
): Promise<DryRun> {
  if (plan.noDryRun === undefined) return await writing.dryRun(statement, bounded(call, caps));
  throw new CodedError("dry_run_unavailable", plan.noDryRun, {
    hint: "Nothing was run. Look at what it would change with query.",
  });
}

/** Returns only with a human's yes to exactly this write. */
async function assertAllowed(write: Write, plan: WritePlan, code: string | undefined, call: Call): Promise<void> {
  const { approvals, log } = call.service;
  const { answer, canAsk, caller } = call.human;
  const binding = { fingerprint: write.print, caller };
  if (answer !== undefined) {
    if (answer.isYes) return approvals.redeem(answer.approval, binding);
    approvals.close(answer.approval);
    throw new CodedError("approval_declined", "The human did not allow this write.", {
      hint: "Nothing was run. Ask what they want instead; do not try the same again.",
    });
  }
  if (code !== undefined) return approvals.redeem(code, binding);

  const { source, statement, writing, caps } = write;
  const tried = plan.noDryRun === undefined ? await writing.dryRun(statement, bounded(call, caps)) : undefined;
  const preview = toPreview(source.name, statement, plan, tried);
  if (canAsk) throw new Question(`Allow this write?\n${preview}`, approvals.open(binding, "token"));
  // Only the operator's side sees the code: what the model can read, it could use by itself.
  const opened = approvals.open(binding, "code");
  // Rows stay out of the log; the statement and its values are what the human answers for.
  const logged = toPreview(source.name, statement, plan, tried && { rowsAffected: tried.rowsAffected });
  log.warn("approval_code", { approval: opened, source: source.name, write: logged });
  throw new CodedError("approval_required", `A human has to allow this write.\n${preview}`, {
    hint:
      "Show this to the human. The code to allow it is in this server's log (stderr), where its operator reads it; " +
      "call again with the same arguments and the code they give as approval.",
  });
}

async function runOnce({ source, statement, writing, caps }: Write, plan: WritePlan, call: Call): Promise<string> {
  const writer = createResultWriter(caps);
  const sink = createResultSink(writer);
  let hasRows = false;
  const { rowsAffected } = await writing.run(
    statement,
    {
      columns(columns) {
        hasRows = true;
        sink.columns(columns);
      },
      row: (cells) => sink.row(cells),
    },
    bounded(call, caps),
  );
  call.service.log.info("write", { source: source.name, class: plan.kind, targets: plan.targets, rows: rowsAffected });
  return toOutcomeText(plan, rowsAffected, hasRows ? finish() : undefined);

  /** It has been committed: rows that don't fit are no error any more. */
  function finish(): string {
    try {
      return writer.finish({
        truncated: sink.truncated,
        ...(sink.truncated ? { hint: "More rows were returned." } : {}),
      });
    } catch {
      return '"too wide to show"';
    }
  }
}

function writingOf({ name, database }: Source): Writing {
  if (database.writing !== undefined) return database.writing;
  throw new CodedError("not_allowed", `The source ${name} is only read.`, { hint: "Use query." });
}

const fingerprint = ({ name }: Source, { sql, params }: Statement): string =>
  createHash("sha256")
    .update(JSON.stringify([name, sql, params]))
    .digest("base64");
