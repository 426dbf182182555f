/** What came of a question, a message or a write, for the faces to render and for programs to read. Only shapes. */
import type { Approval } from "./approval.js";
import type { ErrorReport } from "./error-report.js";
import type { Usage } from "./events.js";
import type { Message } from "./message.js";
import type { Report } from "./report.js";
import type { QueryResult } from "./result.js";

/** A write a human was asked about, and what became of it. */
export interface WriteOutcome {
  readonly connection: string;
  /** The statement as it ran, after a human's changes; for another tool its name and arguments. */
  readonly sql: string;
  /** `unknown`: it was begun and its outcome cannot be found out; it is not repeated. */
  readonly status: "done" | "rejected" | "failed" | "unknown";
  /** The server's reply: rows affected, targets, warnings. JSON text. */
  readonly reply?: string;
  readonly error?: ErrorReport;
}

/** What came of it. */
export interface Answer {
  readonly session: string;
  /** `waiting`: a human is asked something, see `approvals`; answering it goes on. */
  readonly status: "answered" | "waiting" | "failed";
  readonly text: string;
  /** The statement the answer stands on. */
  readonly sql?: string;
  readonly connection?: string;
  /** Its rows. */
  readonly result?: QueryResult;
  /** What to mind: assumptions, limits, emptiness. */
  readonly caveats: readonly string[];
  readonly writes: readonly WriteOutcome[];
  readonly approvals: readonly Approval[];
  readonly usage?: Usage;
  readonly error?: ErrorReport;
}

/** A session as its store has it. */
export interface SessionView {
  readonly session: string;
  readonly createdAt?: string;
  readonly updatedAt?: string;
  readonly owner?: string;
  /** What a human is asked. */
  readonly approvals: readonly Approval[];
  /** True when a run was cut off, as by a crash: `resume` goes on with it. */
  readonly isCutOff: boolean;
  readonly messages: readonly Message[];
  /** The report of its last workflow run. */
  readonly report?: Report;
}

/** A session in a list. */
export interface SessionEntry {
  readonly session: string;
  readonly updatedAt: string;
}
