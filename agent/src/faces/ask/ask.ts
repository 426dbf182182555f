/**
 * `db-agent ask` and `db-agent answer`: a question in words on one side, what a human is asked on the other, each in as
 * many processes as it takes. The answer is on stdout; what goes on beside it on stderr.
 */
import { createAgent } from "../../agent.js";
import type { Answer } from "../../answer.js";
import type { Decision } from "../../approval.js";
import { AgentError, toErrorReport } from "../../errors.js";
import type { Run } from "../../run-stream.js";
import type { Session } from "../../session.js";
import { chooseGateway, type GatewayFlags } from "../gateway-choice.js";
import { exitCodeOf, exitCodes, type Io, onInterrupt, stylesOf, tableWidth } from "../io.js";
import { createFeedback } from "../print/feedback.js";
import { toJsonText } from "../print/report.js";
import { readAll } from "../read-all.js";
import { hasKeys, storeWord, warnOfPassingKeys } from "../sessions.js";
import { createAnswerView } from "./answer-view.js";
import { openAsker } from "./asker.js";
import { converse } from "./converse.js";
import { decide } from "./decide.js";

/** What the command line says of the session, and of how its answer is written. */
export interface ConversationFlags extends GatewayFlags {
  readonly source?: string | undefined;
  readonly output: "text" | "json" | "jsonl";
  readonly store?: string | undefined;
  readonly quiet: boolean;
}

/** Asks a question. The exit code is 3 when a human has to be asked and nobody is there. */
export function runAsk(
  flags: ConversationFlags & { readonly question: string; readonly session?: string | undefined },
  io: Io,
): Promise<number> {
  return inSession(flags, flags.session, io, async (session, signal) => {
    const question = (flags.question === "-" ? await readAll(io.stdin, "question") : flags.question).trim();
    if (question === "") throw new AgentError("usage", "There is no question.", { hint: 'db-agent ask "How many …?"' });
    return session.ask(question, { source: flags.source, signal });
  });
}

/** What `db-agent answer` says. */
export interface AnswerFlags extends ConversationFlags {
  readonly session: string;
  readonly decision: Decision["type"];
  /** The reason, the words, or the statement. */
  readonly text?: string | undefined;
  /** Which question, where several wait. */
  readonly approval?: string | undefined;
  readonly code?: string | undefined;
}

/** Answers what a session waits for. */
export function runAnswer(flags: AnswerFlags, io: Io): Promise<number> {
  return inSession(flags, flags.session, io, async (session, signal) => {
    const decision = toDecision(flags);
    const approval = flags.approval ?? (await onlyOne(session));
    return session.answer(approval, decision, { signal });
  });
}

/** Goes on with a session that was cut off: what may have been written is looked up, never written again. */
export function runResume(flags: ConversationFlags & { readonly session: string }, io: Io): Promise<number> {
  return inSession(flags, flags.session, io, async (session, signal) => session.resume({ signal }));
}

/** @throws AgentError `usage` */
function toDecision({ decision: type, text = "", code }: AnswerFlags): Decision {
  const coded = code === undefined ? {} : { code };
  switch (type) {
    case "approve":
      return { type, ...coded };
    case "reject":
      return { type, ...(text === "" ? {} : { reason: text }) };
    case "edit":
    case "reply":
      if (text.trim() !== "") return type === "edit" ? { type, sql: text, ...coded } : { type, text };
      throw new AgentError("usage", `${type} needs ${type === "edit" ? "the statement" : "words"}.`, {
        hint: `db-agent answer <session> ${type} "…"`,
      });
  }
}

async function onlyOne(session: Session): Promise<string> {
  const [asked, ...others] = await session.pending();
  if (asked === undefined) {
    throw new AgentError("approval_unknown", "Nothing is asked in this session.", {
      hint: "It was answered already, or never asked.",
    });
  }
  if (others.length === 0) return asked.approval;
  throw new AgentError("usage", `The session asks ${others.length + 1} things: which one?`, {
    hint: `--approval may be ${[asked, ...others].map(({ approval }) => approval).join(", ")}.`,
  });
}

async function inSession(
  flags: ConversationFlags,
  reference: string | undefined,
  io: Io,
  start: (session: Session, signal: AbortSignal) => Promise<Run<Answer>>,
): Promise<number> {
  const gateway = await chooseGateway(flags, io.environment);
  const store = storeWord(flags.store, io) ?? (reference === undefined ? "memory" : "file");
  const { out, err } = stylesOf(io);
  using interrupt = onInterrupt();
  const { signal } = interrupt;
  if (store !== "memory" && !hasKeys(io)) warnOfPassingKeys(io);
  await using agent = createAgent({ gateway, store });
  using feedback = createFeedback(io.stderr, err, { quiet: flags.quiet });
  const session = await agent.session(reference);
  const asker = openAsker(io, signal);
  const tell = (text: string): void => void io.stderr.write(`${text}\n`);
  const view = createAnswerView({
    feedback,
    style: flags.output === "text" ? out : err,
    width: () => tableWidth(io),
    write: (text) => void (flags.output === "text" && io.stdout.write(text)),
    tell: (text) => void (flags.quiet || tell(text)),
  });
  feedback.busy("thinking");
  let told: string | undefined;
  const answer = await converse(await start(session, signal), session, {
    signal,
    show(event) {
      if (flags.output === "jsonl") io.stdout.write(`${JSON.stringify(event)}\n`);
      view.show(event);
      if (event.type === "error") told = event.error.code;
    },
    async decide(approval) {
      feedback.idle();
      if (asker === undefined) return undefined;
      return decide(approval, { asker, write: tell, style: err, width: () => io.stderr.columns });
    },
  }).catch((error: unknown) => {
    if (toErrorReport(error).code !== told) throw error;
    return undefined;
  });
  if (answer === undefined) return exitCodeOf(told ?? "");
  view.end(answer);
  if (flags.output === "json") io.stdout.write(toJsonText(answer));
  if (!flags.quiet && store !== "memory") tell(`Session ${session.id}`);
  if (answer.status === "waiting") tellWhatWaits(answer, store, tell);
  if (signal.aborted) return exitCodes.interrupted;
  return { answered: exitCodes.ok, failed: exitCodes.failed, waiting: exitCodes.waiting }[answer.status];
}

function tellWhatWaits({ session, approvals }: Answer, store: string, tell: (text: string) => void): void {
  const words = approvals.some(({ kind }) => kind === "question") ? 'reply "…"' : "approve, edit or reject";
  tell(
    store === "memory"
      ? "A human is asked something, and nobody is here to answer. --store file keeps the session for an answer later."
      : `It waits for a human: db-agent answer ${session} ${words}`,
  );
}
