/**
 * `db-agent` at work on databases, line by line: on a terminal with everything a person expects of one, from a pipe with
 * results alone. It opens what both stand on and closes it again.
 */
import { type Agent, createAgent } from "../../agent.js";
import type { GatewaySpec } from "../../gateway/launch.js";
import { nameSource } from "../../gateway/sources.js";
import { askerAt, openAsker } from "../ask/asker.js";
import { askForConnection } from "../connect/wizard.js";
import { chooseGateway, type GatewayFlags, isUnnamed } from "../gateway-choice.js";
import { exitCodes, type Io, onInterrupt, stylesOf, tableWidth } from "../io.js";
import { createFeedback, type Feedback } from "../print/feedback.js";
import { hasKeys, storeWord, warnOfPassingKeys } from "../sessions.js";
import { createCompleter } from "./completion.js";
import { createConversation } from "./conversation.js";
import { historyFile, openHistory } from "./history.js";
import { editText, pagerOf, showInPager } from "./pager.js";
import { openPrompt, type Prompt } from "./prompt.js";
import { runScript } from "./script.js";
import { createSession } from "./session.js";

/** What the command line says. */
export interface ReplFlags extends GatewayFlags {
  readonly source?: string | undefined;
  /** Where what is said is kept; in memory by default. */
  readonly store?: string | undefined;
  /** The reference id to go on with. */
  readonly session?: string | undefined;
}

/** Runs until the end of input or `\q`. */
export async function runRepl(flags: ReplFlags, io: Io): Promise<number> {
  const isTerminal = io.stdin.isTTY === true && io.stdout.isTTY === true;
  const gateway = await chooseGateway(flags, io.environment).catch((error: unknown): GatewaySpec => {
    if (!isTerminal || !isUnnamed(error)) throw error;
    return { databases: {}, ...(flags.mode === undefined ? {} : { mode: flags.mode }) };
  });
  const store = storeWord(flags.store, io) ?? (flags.session === undefined ? "memory" : "file");
  if (isTerminal && store !== "memory" && !hasKeys(io)) warnOfPassingKeys(io);
  await using agent = createAgent({ gateway, store });
  const style = stylesOf(io);
  using feedback = createFeedback(io.stderr, style.err, { quiet: !isTerminal });
  let reference = flags.session;
  if ("databases" in gateway && Object.keys(gateway.databases).length === 0) {
    reference = await askedFor(agent, feedback, io);
    if (reference === undefined) return exitCodes.interrupted;
  }
  let prompt: Prompt | undefined;
  const edit = (text: string): Promise<string> => suspended(prompt, () => editText(text, io.environment));
  const conversation = createConversation({
    agent,
    asker: askerAt(() => prompt?.editor, edit),
    feedback,
    style: style.out,
    write: (text) => io.stdout.write(text),
    width: () => tableWidth(io),
    reference,
    hasModel: (io.environment.DB_AGENT_MODEL ?? "") !== "",
  });
  const session = createSession({
    agent: () => agent,
    style: style.out,
    feedback,
    greets: isTerminal,
    write: (text) => io.stdout.write(text),
    page: (text) => page(text, prompt, io),
    ...(isTerminal ? { edit, conversation } : {}),
    width: () => tableWidth(io),
    async addDatabase(url) {
      const name = nameSource(url, await agent.sources({ signal: session.signal }));
      const remove = await agent.connection.addDatabase(name, url);
      try {
        await agent.check(name, { signal: session.signal });
      } catch (error) {
        await remove();
        throw error;
      }
      return name;
    },
  });
  try {
    if (!isTerminal) return await runScript(session, flags.source, io);
    const history = await openHistory(historyFile(io.environment));
    prompt = openPrompt({ session, history, completer: createCompleter(() => agent) }, io);
    return await prompt.run(flags.source);
  } finally {
    prompt?.[Symbol.dispose]();
  }
}

/** Asks for a database; its session's reference id is said. Undefined when they left. */
async function askedFor(agent: Agent, feedback: Feedback, io: Io): Promise<string | undefined> {
  using interrupt = onInterrupt();
  const { signal } = interrupt;
  const asker = openAsker(io, signal);
  const tell = (text: string): void => void io.stderr.write(`${text}\n`);
  const { err: style } = stylesOf(io);
  if (asker === undefined) return undefined;
  const session = await askForConnection({ agent, asker, feedback, style, signal, tell });
  if (session !== undefined) tell(`Session ${session.id}`);
  return session?.id;
}

/** What is longer than the terminal goes through the pager, where there is one. */
async function page(text: string, prompt: Prompt | undefined, { stdout, environment }: Io): Promise<void> {
  const pager = pagerOf(environment);
  const isLong = stdout.isTTY && text.split("\n").length > (stdout.rows || 24);
  const isShown =
    isLong && pager !== undefined && (await suspended(prompt, () => showInPager(pager, text, environment)));
  if (!isShown) stdout.write(text);
}

const suspended = <T>(prompt: Prompt | undefined, use: () => Promise<T>): Promise<T> =>
  prompt === undefined ? use() : prompt.editor.suspend(use);
