/** Rows of what was asked of a gateway while its store was broken, held against what they should be and printed as one table. */
import { expect } from "vitest";
import { until } from "../gateway/gateways.js";
import type { Answers, Subject } from "./subject.js";

/** Calls with a session, about it and for a new one. */
export interface Expected {
  readonly inSession: string;
  readonly shown: string;
  readonly opened: string;
}

export const well: Expected = { inSession: "ok", shown: "200", opened: "201" };
export const away: Expected = {
  inSession: "store_unavailable",
  shown: "503 store_unavailable, retry-after",
  opened: "503 store_unavailable, retry-after",
};
export const lost: Expected = { inSession: "session_not_found", shown: "404 session_not_found", opened: "201" };

const calls = ["inSession", "shown", "opened"] as const;

/** Collects rows. */
export interface Matrix {
  /** Asks three times, or as often as told, and expects the same each time; what is left out may be anything right. */
  during(fault: string, subject: Subject, session: string, expected: Partial<Expected>, times?: number): Promise<void>;
  /** Asks until all is as it should be again; until then each call is told that the store is away, or is answered. */
  after(fault: string, subject: Subject, session: string, expected: Expected, deadlineMs?: number): Promise<void>;
  print(): void;
}

export function createMatrix(title: string): Matrix {
  const rows: (Answers & { fault: string; slowest: string })[] = [];
  const note = (fault: string, answers: Answers, subject: Subject): void =>
    void rows.push({ fault, ...answers, slowest: `${Math.round(subject.slowestMs)} ms` });
  return {
    async during(fault, subject, session, expected, times = 3) {
      for (let attempt = 1; attempt <= times; attempt++) {
        const answers = await subject.ask(session);
        if (attempt === times) note(fault, answers, subject);
        expect({ fault, ...answers }).toMatchObject({ fault, sessionless: "ok", ...expected });
        for (const call of calls) expect([away[call], expected[call] ?? well[call]]).toContain(answers[call]);
      }
    },
    async after(fault, subject, session, expected, deadlineMs = 10_000) {
      let answers: Answers | undefined;
      const began = performance.now();
      await until(async () => {
        answers = await subject.ask(session);
        expect(answers.sessionless).toBe("ok");
        for (const call of calls) expect([away[call], expected[call]]).toContain(answers[call]);
        return calls.every((call) => answers?.[call] === expected[call]);
      }, deadlineMs);
      const seconds = ((performance.now() - began) / 1_000).toFixed(1);
      if (answers !== undefined) note(`${fault}: ${seconds} s later`, answers, subject);
    },
    print() {
      const heads = ["fault", "sessionless", "inSession", "shown", "opened", "slowest"] as const;
      const table = [heads, ...rows.map((row) => heads.map((head) => row[head]))];
      const widths = heads.map((_head, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
      const lines = table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
      process.stdout.write(`\n${title}\n${lines.map((line) => line.trimEnd()).join("\n")}\n\n`);
    },
  };
}
