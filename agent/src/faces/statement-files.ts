/** Statements of a task whose rows go into files of their own, whatever the report shows of them. */
import type { Agent } from "../agent.js";
import { type Environment, fillIn } from "../config-file.js";
import type { ErrorReport } from "../error-report.js";
import { AgentError, toErrorReport } from "../errors.js";
import type { Report } from "../report.js";
import type { QueryResult } from "../result.js";
import type { parseTask } from "../task.js";
import { formatOfFile, writeRows } from "./print/row-file.js";

/** A file that was written, or why it was not. */
export interface WrittenFile {
  readonly statement: string;
  readonly file: string;
  readonly rows?: number;
  readonly error?: ErrorReport;
}

type ParsedTask = ReturnType<typeof parseTask>;

/** What is wrong with the files a task names, before anything has run. @throws AgentError `task_invalid` */
export function assertFiles({ statements = [] }: ParsedTask): void {
  for (const [index, { output }] of statements.entries()) {
    if (output?.format !== undefined || output?.file === undefined) continue;
    try {
      formatOfFile(output.file);
    } catch (error) {
      const { message, hint } = toErrorReport(error);
      throw new AgentError(
        "task_invalid",
        `statements.${index}.output: ${message}`,
        hint === undefined ? {} : { hint },
      );
    }
  }
}

/** Writes the rows of statements that succeeded; one that cannot be written keeps none of the others. */
export async function writeStatementFiles(
  { statements = [] }: ParsedTask,
  report: Report,
  agent: Agent,
  environment: Environment,
  signal: AbortSignal,
): Promise<readonly WrittenFile[]> {
  const written: WrittenFile[] = [];
  for (const [index, { output, params }] of statements.entries()) {
    const ran = report.statements[index];
    if (output === undefined || ran?.result === undefined) continue;
    const { name: statement, connection: source, sql, result } = ran;
    let { file } = output;
    try {
      file = await fillIn(file, environment, `statements.${index}.output.file`);
      // what the report shows may be a part of it: then all rows are read, in one snapshot
      const pages: Iterable<QueryResult> | AsyncIterable<QueryResult> = result.truncated
        ? agent.pages(sql, { params, source, signal })
        : [result];
      const format = output.format ?? formatOfFile(file);
      written.push({ statement, file, rows: await writeRows(file, format, pages, { makesFolder: true }) });
    } catch (thrown) {
      signal.throwIfAborted();
      written.push({ statement, file, error: toErrorReport(thrown) });
    }
  }
  return written;
}
