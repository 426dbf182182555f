/** Our own questions to the catalogue: constant texts in one read-only transaction, all sent at once. */
import type { CallOptions } from "@database-interface/mcp-core/sql";
import type { Connected } from "./connect.js";
import { toStatementError } from "./errors.js";
import type { TextRow } from "./session.js";
import type { Source } from "./source.js";
import { inTransaction } from "./transaction.js";

/** A constant text and its parameters. */
export interface Question {
  readonly sql: string;
  readonly params?: readonly unknown[];
}

const timeoutMs = 15_000;
const maxWireBytes = 64_000_000;

/** The rows of each question, in one round trip. @throws CodedError */
export async function ask(
  source: Source,
  questions: readonly Question[],
  { signal }: CallOptions,
  look?: (connected: Connected) => void,
): Promise<readonly (readonly TextRow[])[]> {
  const answers: TextRow[][] = questions.map(() => []);
  try {
    await inTransaction(
      source.pool,
      source.tls,
      { signal, timeoutMs, maxWireBytes },
      async ({ session, connected }) => {
        look?.(connected);
        await Promise.all(
          questions.map((question, index) =>
            session.send({ params: [], ...question, onRow: (row) => void answers[index]?.push(row) }),
          ),
        );
      },
    );
  } catch (thrown) {
    throw toStatementError(thrown, { sql: "", offset: 0 });
  }
  return answers;
}

/** `{a,b}` as the server writes arrays of names, for parameters of array type in a single round trip. */
export const arrayText = (values: readonly string[]): string =>
  `{${values.map((value) => `"${value.replace(/[\\"]/g, "\\$&")}"`).join(",")}}`;
