/** Looking around: tables, plans, databases, and changing from one database to another. */
import { AgentError, nearest } from "../../errors.js";
import { isDatabaseUrl } from "../../gateway/sources.js";
import { describeSourceCheck } from "../../graphs/verify.js";
import { formatResult } from "../print/format.js";
import { formatError } from "../print/pieces.js";
import { toVisibleLines } from "../print/text.js";
import type { Session } from "./session.js";

/** A table in full. */
export async function describeTable(session: Session, table: string): Promise<void> {
  const { source, signal } = session;
  const text = await session.busy("looking", () => session.agent().describe(table, { source, signal }));
  await session.writeLong(toVisibleLines(text));
}

/** The objects of a kind whose names fit a pattern; all of them without one. */
export async function searchObjects(session: Session, kind: string, pattern: string): Promise<void> {
  const { source, signal } = session;
  const found = await session.busy("looking", () =>
    session.agent().search({ source, kind, pattern: pattern === "" ? undefined : pattern, signal }),
  );
  if (found.rowCount === 0) session.write(pattern === "" ? `There is no ${kind}.` : `No ${kind} is named like that.`);
  else await session.writeLong(formatResult(found, "table", { width: session.width(), style: session.style }));
  if (found.truncated) session.write(session.style("dim", found.hint ?? "There are more."));
}

/** The plan of a statement, of the last one where none is given. */
export async function explainStatement(session: Session, given: string): Promise<void> {
  const sql = given === "" ? session.last?.sql : given;
  if (sql === undefined) throw new AgentError("usage", "\\explain needs a statement.");
  const { source, signal } = session;
  const text = await session.busy("planning", () =>
    session.agent().connection.call("explain", { sql, source }, { signal }),
  );
  await session.writeLong(toVisibleLines(text));
}

/** The databases and how they are. */
export async function listSources(session: Session): Promise<void> {
  const { source, signal, style } = session;
  const names = await session.agent().sources({ signal });
  const lines = await session.busy("checking", () =>
    Promise.all(
      (names.length === 0 ? [undefined] : names).map(async (name) => {
        const mark = name === source ? "*" : " ";
        try {
          const check = await session.agent().check(name, { signal });
          return `${mark} ${style("green", "✓")} ${name ?? check.source ?? ""}: ${describeSourceCheck(check)}`;
        } catch (error) {
          if (!(error instanceof AgentError)) throw error;
          return `${mark} ${name}: ${formatError(error.report, style)}`;
        }
      }),
    ),
  );
  session.write(lines.join("\n"));
}

/** Changes to a database by its name, or adds the one at a URL. */
export async function changeSource(session: Session, target: string): Promise<void> {
  const { source } = session;
  if (target === "") {
    session.write(source === undefined ? "No database is open." : `The database is ${source}.`);
  } else if (isDatabaseUrl(target)) {
    await session.open(await session.addDatabase(target));
  } else {
    const names = await session.agent().sources({ signal: session.signal });
    if (names.length > 0 && !names.includes(target)) {
      const near = nearest(target, names);
      throw new AgentError("source_unknown", `There is no database named ${target} here.`, {
        hint: near === undefined ? `There are ${names.join(", ")}; a URL adds another.` : `Did you mean ${near}?`,
      });
    }
    await session.open(target);
  }
}
