/**
 * Asks for a connection, tries it, and says what failed: one answer can then be given anew. The password is neither shown
 * nor kept anywhere but in the memory of this process and its gateway.
 */
import type { Agent } from "../../agent.js";
import type { ErrorReport } from "../../error-report.js";
import { toErrorReport } from "../../errors.js";
import { nameSource } from "../../gateway/sources.js";
import type { Session } from "../../session.js";
import type { Asker } from "../ask/asker.js";
import type { Feedback } from "../print/feedback.js";
import { formatError } from "../print/pieces.js";
import type { Style } from "../print/style.js";
import { type ConnectionAnswers, type Field, fields, likelyField, toUrl } from "./fields.js";

/** What the wizard works with. */
export interface WizardParts {
  readonly agent: Agent;
  readonly asker: Asker;
  readonly feedback: Feedback;
  readonly style: Style;
  readonly signal: AbortSignal;
  tell(text: string): void;
}

/** Asks until a database answers; the session knows it by its name. Undefined when they left. */
export async function askForConnection(parts: WizardParts): Promise<Session | undefined> {
  const { agent, asker, tell, style, feedback, signal } = parts;
  tell("Which database? Enter takes what stands in brackets, Ctrl-C leaves.");
  const answers: ConnectionAnswers = { kind: "", host: "", port: "", database: "", user: "", password: "", tls: "" };
  for (const field of fields) if (!(await askField(field, answers, parts))) return undefined;
  const session = await agent.session();
  for (;;) {
    const error = await attempt(toUrl(answers));
    if (error === undefined) return session;
    tell(formatError(error, style));
    if (!(await askAgain(likelyField(error.code)))) return undefined;
  }

  /** Why a database does not answer; undefined when it does. */
  async function attempt(url: string): Promise<ErrorReport | undefined> {
    try {
      const run = session.connect({ url, name: nameSource(url) }, { signal });
      for await (const event of run) if (event.type === "status" && event.state !== "down") feedback.show(event);
      const [report] = await run.result;
      return report?.state === "down" ? report.error : undefined;
    } catch (thrown) {
      signal.throwIfAborted();
      return toErrorReport(thrown);
    } finally {
      feedback.idle();
    }
  }

  /** Which answer to change; an empty line changes the one that is most likely wrong. */
  async function askAgain(likely: string): Promise<boolean> {
    for (;;) {
      const typed = await asker.ask(`Change which (${fields.map(({ name }) => name).join(", ")}) [${likely}]: `);
      if (typed === undefined) return false;
      const field = fields.find(({ name }) => name === (typed.trim().toLowerCase() || likely));
      if (field !== undefined) return askField(field, answers, parts);
    }
  }
}

/** False when they left. An answer that does not fit is asked for again. */
async function askField(field: Field, answers: ConnectionAnswers, { asker, tell }: WizardParts): Promise<boolean> {
  const { name, prompt, isHidden = false } = field;
  for (;;) {
    const initial = answers[name] === "" || isHidden ? field.initial(answers) : answers[name];
    const shown = isHidden || initial === "" ? "" : ` [${initial}]`;
    const typed = await asker.ask(`${prompt}${shown}: `, { isHidden });
    if (typed === undefined) return false;
    try {
      answers[name] = field.read(isHidden ? typed : typed.trim() || initial);
      return true;
    } catch (error) {
      tell(toErrorReport(error).message);
    }
  }
}
