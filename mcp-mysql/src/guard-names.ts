/**
 * What the guard has to ask the server: the bodies of stored functions a statement calls, and of views it may name. A
 * stored function passes when it is one RETURN whose expression passes the same checks; a view when its query does.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import { type CallOptions, StatementError } from "@database-interface/mcp-core/sql";
import { type Call, type Inspection, inspectStatement, inspectTokens } from "./guard-walk.js";
import { tokenize } from "./lexer.js";
import { toLiteral } from "./parameters.js";
import type { Pool } from "./pool.js";
import { ask } from "./transaction.js";

/**
 * Checks names against the server's catalogue, and says whether all that stands behind them is repeatable.
 * @throws CodedError `not_allowed`, `function_not_found`
 */
export type NameCheck = (inspection: Inspection, options: CallOptions) => Promise<{ readonly isRepeatable: boolean }>;

/** A view that was made harmful is refused after this long at the latest. */
const viewsFreshMs = 30_000;
const maxDepth = 8;

/** By {@link viewKey}; empty where it may not be read. */
type ViewBodies = ReadonlyMap<string, readonly string[]>;

/**
 * @param home the current database of the pool's sessions
 * @param isBlind functions may not query: columns are hidden
 */
export function createNameCheck(pool: Pool, home: string, isBlind = false): NameCheck {
  let views: { readonly bodies: Promise<ViewBodies>; readonly at: number } | undefined;

  function viewBodies(options: CallOptions): Promise<ViewBodies> {
    if (views !== undefined && performance.now() - views.at < viewsFreshMs) return views.bodies;
    const bodies = loadViews(pool, options);
    views = { bodies, at: performance.now() };
    // A failure is this call's error, and no reason not to ask again.
    bodies.catch(() => {
      views = undefined;
    });
    return bodies;
  }

  return async function check(inspection, options) {
    const known = await viewBodies(options);
    const seen = new Set<string>();
    const isNew = (key: string): boolean => !seen.has(key) && Boolean(seen.add(key));
    let isRepeatable = true;

    /** `schema` is where names without one belong: the session's, or that of the view or function they stand in. */
    async function visit(inspected: Inspection, schema: string, depth: number): Promise<void> {
      const { calls, names, members } = inspected;
      if (depth > maxDepth) throw new CodedError("not_allowed", "Views or functions are nested too deeply.");
      isRepeatable &&= inspected.isRepeatable;
      const places = [...[...names].map((name) => [schema, name] as const), ...members];
      for (const [place, name] of places) {
        if (!isNew(viewKey(place, name))) continue;
        for (const body of known.get(viewKey(place, name)) ?? []) {
          // Without the SHOW VIEW privilege the body is empty: what it may do is up to its definer and the session.
          if (body === "") isRepeatable = false;
          else await visit(inView(name, body), place, depth + 1);
        }
      }
      for (const call of calls) {
        const place = call.schema ?? schema;
        if (!isNew(`${viewKey(place, call.name)}()`)) continue;
        for (const body of await functionBodies(pool, place, call, options))
          await visit(inFunction(call, body, isBlind), place, depth + 1);
      }
    }
    await visit(inspection, home, 0);
    return { isRepeatable };
  };
}

/** Names that differ in case alone are the same on some servers. */
const viewKey = (schema: string, name: string): string => `${schema}\0${name}`.toLowerCase();

async function loadViews(pool: Pool, options: CallOptions): Promise<ViewBodies> {
  const sql = `SELECT table_schema, table_name, view_definition FROM information_schema.views
    WHERE table_schema NOT IN ('sys', 'information_schema', 'performance_schema', 'mysql')`;
  const [rows = []] = await ask(pool, [sql], options);
  const bodies = new Map<string, string[]>();
  for (const [schema, name, body] of rows) {
    if (!schema || !name) continue;
    const key = viewKey(schema, name);
    bodies.set(key, [...(bodies.get(key) ?? []), body ?? ""]);
  }
  return bodies;
}

/** The bodies of the function in this schema. */
async function functionBodies(
  pool: Pool,
  schema: string,
  call: Call,
  options: CallOptions,
): Promise<readonly string[]> {
  const sql = `SELECT routine_definition FROM information_schema.routines
    WHERE routine_type = 'FUNCTION' AND routine_name = ${toLiteral(call.name)} AND routine_schema = ${toLiteral(schema)}`;
  const [rows = []] = await ask(pool, [sql], options);
  if (rows.length === 0) throw notFound(call);
  return rows.map(([body]) => {
    if (!body) throw refused(call, "its body may not be read by this user");
    return body;
  });
}

/** `isBlind`: a query in it could read columns that are hidden. */
function inFunction(call: Call, body: string, isBlind: boolean): Inspection {
  try {
    const tokens = tokenize(body);
    const [first] = tokens;
    const isQuerying = tokens.some(({ kind, text }) => kind === "word" && /^(select|table|values|with)$/.test(text));
    if (!(isBlind && isQuerying) && first?.text === "return" && tokens.every(({ kind }) => kind !== "end"))
      return inspectTokens(tokens.slice(1));
  } catch {
    // What its body does that a query may not is not the caller's business.
  }
  throw refused(call, "it does more than return an expression");
}

function inView(name: string, body: string): Inspection {
  try {
    return inspectStatement(tokenize(body));
  } catch (cause) {
    const hint = "Its query does something that a query may not do here; use the tables it reads.";
    throw new CodedError("not_allowed", `The view ${name} may not be used.`, { hint, cause });
  }
}

function refused({ name, token }: Call, why: string): StatementError {
  return new StatementError("not_allowed", `The function ${name} may not be called: ${why}.`, {
    hint: "Write its expression into the query.",
    position: token.start + 1,
  });
}

function notFound({ schema, name, token }: Call): StatementError {
  return new StatementError("function_not_found", `There is no function ${name} that may be called here.`, {
    hint: "Native functions are allowed after review only; write the expression in another way.",
    position: token.start + 1,
    missing: { kind: "function", name, schema },
  });
}
