/**
 * A task: what `db-agent run` and `agent.run()` take. One schema gives the types, the published JSON Schema and the
 * messages about what does not fit. Knows nothing of files, environments or MCP.
 */
import * as v from "valibot";
import { AgentError, nearest } from "./errors.js";

const name = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,40}$/, "Letters, digits, _ and -, at most 40."));

/** The formats a report or a result can be written in. */
export const formatSchema = v.picklist(["table", "vertical", "markdown", "csv", "json", "jsonl"]);
/** A format a report or a result can be written in. */
export type Format = v.InferOutput<typeof formatSchema>;

const connectionSchema = v.strictObject({
  name: v.pipe(name, v.description("How statements refer to it; its source in a gateway that runs elsewhere.")),
  url: v.optional(
    v.pipe(v.string(), v.description("postgres://… or mysql://…; environment variables in it are filled in.")),
  ),
});

const inspectSchema = v.strictObject({
  pattern: v.optional(v.pipe(v.string(), v.description("Part of a name, or with % _ * ?"))),
  kind: v.optional(v.picklist(["schema", "table", "view", "column", "index", "function"])),
  schema: v.optional(v.string()),
  detail: v.optional(v.picklist(["names", "summary", "full"])),
  tables: v.optional(v.pipe(v.array(v.string()), v.description("Tables to describe in full."))),
});

const statementSchema = v.strictObject({
  name: v.optional(v.pipe(v.string(), v.nonEmpty(), v.description("The heading of its result."))),
  sql: v.pipe(
    v.union([v.string(), v.array(v.string())]),
    v.description("One statement; an array is joined line by line."),
  ),
  params: v.optional(v.pipe(v.array(v.unknown()), v.description("Values for $1… or ?, in order."))),
  source: v.optional(v.pipe(v.string(), v.description("Name of the connection; needed when there are several."))),
  maxRows: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  output: v.optional(
    v.pipe(
      v.strictObject({
        file: v.pipe(v.string(), v.nonEmpty(), v.description("Environment variables in it are filled in.")),
        format: v.optional(v.pipe(formatSchema, v.description("By default what the file's ending names."))),
      }),
      v.description("All its rows into a file of their own."),
    ),
  ),
});

const questionSchema = v.strictObject({
  name: v.optional(v.pipe(v.string(), v.nonEmpty(), v.description("The heading of its answer."))),
  text: v.pipe(v.string(), v.nonEmpty(), v.description("What you want to know, in words; needs a model.")),
  source: v.optional(
    v.pipe(v.string(), v.description("Name of the connection; without it the one whose schema is nearest.")),
  ),
});

const maxParallel = 32;

/** A task as its file has it. */
export const taskSchema = v.strictObject({
  $schema: v.optional(v.string()),
  name: v.optional(v.pipe(v.string(), v.description("The report's title."))),
  gateway: v.optional(
    v.pipe(
      v.strictObject({ url: v.string(), token: v.optional(v.string()) }),
      v.description("A running gateway; without it one is started for the task."),
    ),
  ),
  connections: v.optional(
    v.pipe(v.array(connectionSchema), v.description("The databases; all of the gateway's when left out.")),
  ),
  inspect: v.optional(
    v.pipe(
      v.union([v.boolean(), inspectSchema]),
      v.description("What to look up in the catalogue of each connection."),
    ),
  ),
  statements: v.optional(v.array(statementSchema)),
  questions: v.optional(
    v.pipe(v.array(questionSchema), v.description("Asked after the statements, each in a session of its own.")),
  ),
  parallel: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(1),
      v.maxValue(maxParallel),
      v.description("Statements, and then questions, at the same time; 1 by default."),
    ),
  ),
  onError: v.optional(
    v.pipe(
      v.picklist(["continue", "stop"]),
      v.description("Whether later statements and questions run after a failed one."),
    ),
  ),
  output: v.optional(
    v.strictObject({
      format: v.optional(formatSchema),
      file: v.optional(
        v.pipe(v.string(), v.description("Written instead of stdout, as seen from the working directory.")),
      ),
    }),
  ),
});

/** A task as its file or a program gives it. */
export type TaskInput = v.InferInput<typeof taskSchema>;

/** A task with its defaults filled in; no credentials in it. */
export interface Task {
  readonly title: string;
  readonly connections: readonly string[];
  readonly inspect: v.InferOutput<typeof inspectSchema> | undefined;
  readonly statements: readonly TaskStatement[];
  readonly questions: readonly TaskQuestion[];
  /** Statements, or questions, at the same time. */
  readonly parallel: number;
  readonly stopsOnError: boolean;
}

/** One question of a task. */
export interface TaskQuestion {
  readonly name: string;
  readonly text: string;
  /** The connection it is about; undefined where the model's side has to find it. */
  readonly source: string | undefined;
}

/** One statement of a task. */
export interface TaskStatement {
  readonly name: string;
  readonly sql: string;
  readonly params?: readonly unknown[] | undefined;
  /** The connection it runs on. */
  readonly source: string;
  readonly maxRows?: number | undefined;
}

/** @throws AgentError `task_invalid` naming the path, what was expected and, for an unknown key, the nearest one */
export function parseTask(value: unknown): v.InferOutput<typeof taskSchema> {
  if (Array.isArray(value)) {
    throw new AgentError("task_invalid", "the task does not fit.", { hint: "Expected Object, received Array." });
  }
  const parsed = v.safeParse(taskSchema, value);
  if (parsed.success) return parsed.output;
  throw toTaskError(v.flatten<typeof taskSchema>(parsed.issues), parsed.issues);
}

/**
 * The task on these connections.
 * @throws AgentError `task_invalid` for a statement whose connection is missing or unknown, a question whose is unknown
 */
export function planTask(task: v.InferOutput<typeof taskSchema>, connections: readonly string[]): Task {
  const statements = (task.statements ?? []).map((statement, index): TaskStatement => {
    const path = `statements.${index}`;
    const sql = typeof statement.sql === "string" ? statement.sql : statement.sql.join("\n");
    return {
      name: statement.name ?? `statement ${index + 1}`,
      sql,
      params: statement.params,
      maxRows: statement.maxRows,
      source: chooseConnection(statement.source, connections, path),
    };
  });
  const { inspect } = task;
  return {
    title: task.name ?? "Report",
    connections,
    inspect: inspect === true ? {} : inspect === false ? undefined : inspect,
    statements,
    questions: (task.questions ?? []).map(({ name, text, source }, index) => ({
      name: name ?? `question ${index + 1}`,
      text,
      source:
        source === undefined && connections.length > 1
          ? undefined
          : chooseConnection(source, connections, `questions.${index}`),
    })),
    parallel: task.parallel ?? 1,
    stopsOnError: task.onError === "stop",
  };
}

function chooseConnection(given: string | undefined, connections: readonly string[], path: string): string {
  const [only, second] = connections;
  if (given === undefined && only !== undefined && second === undefined) return only;
  if (given === undefined) {
    throw new AgentError("task_invalid", `${path}.source is missing: there are ${connections.length} connections.`, {
      hint: connections.length === 0 ? "Add one under connections." : `It may be ${connections.join(", ")}.`,
    });
  }
  if (connections.includes(given)) return given;
  const near = nearest(given, connections);
  throw new AgentError("task_invalid", `${path}.source names no connection: ${given}`, {
    hint: near === undefined ? `The connections are ${connections.join(", ")}.` : `Did you mean ${near}?`,
  });
}

function toTaskError(flat: v.FlatErrors<typeof taskSchema>, issues: readonly v.BaseIssue<unknown>[]): AgentError {
  const [issue] = issues.flatMap(deepest);
  if (issue === undefined) return new AgentError("task_invalid", flat.root?.join(" ") ?? "The task does not fit.");
  const path = v.getDotPath(issue) ?? "the task";
  if (issue.type === "strict_object" && issue.expected === "never") {
    const key = String(issue.path?.at(-1)?.key);
    const known = knownKeys(issue.path?.slice(0, -1) ?? []);
    const near = nearest(key, known);
    return new AgentError("task_invalid", `There is no key ${path} in a task.`, {
      hint: near === undefined ? `The keys there are ${known.join(", ")}.` : `Did you mean ${near}?`,
    });
  }
  const problem = issue.received === "undefined" ? "is missing" : "does not fit";
  const because = issue.type === "regex" ? issue.message : `Expected ${issue.expected}, received ${issue.received}.`;
  return new AgentError("task_invalid", `${path} ${problem}.`, { hint: because });
}

/** Of a choice's issue, the branch that came closest: an object with a wrong key says more than `boolean or object`. */
function deepest(issue: v.BaseIssue<unknown>): readonly v.BaseIssue<unknown>[] {
  const outer = issue.path ?? [];
  const inner = (issue.issues ?? []).filter(({ path }) => path !== undefined);
  if (issue.type !== "union" || inner.length === 0) return [issue];
  return inner.map((one) => ({ ...one, path: [...outer, ...(one.path ?? [])] as unknown as typeof one.path })); // both are paths
}

function knownKeys(path: readonly v.IssuePathItem[]): string[] {
  switch (path[0]?.key) {
    case undefined:
      return Object.keys(taskSchema.entries);
    case "connections":
      return Object.keys(connectionSchema.entries);
    case "statements":
      if (path[2]?.key === "output") return ["file", "format"];
      return Object.keys(statementSchema.entries);
    case "questions":
      return Object.keys(questionSchema.entries);
    case "inspect":
      return Object.keys(inspectSchema.entries);
    case "output":
      return ["format", "file"];
    default:
      return ["url", "token"];
  }
}
