/**
 * `db-agent` at work on databases, line by line: on a terminal with everything a person expects of one, from a pipe with
 * results alone. It opens what both stand on and closes it again.
 */
import { type Agent, createAgent } from "../../agent.js";
import { AgentError } from "../../errors.js";
import type { GatewaySpec } from "../../gateway/launch.js";
import { nameSource } from "../../gateway/sources.js";
import { chooseGateway, type GatewayFlags } from "../gateway-choice.js";
import { type Io, stylesOf, tableWidth } from "../io.js";
import { createFeedback } from "../print/feedback.js";
import { createCompleter } from "./completion.js";
import { historyFile, openHistory } from "./history.js";
import { editText, pagerOf, showInPager } from "./pager.js";
import { openPrompt, type Prompt } from "./prompt.js";
import { runScript } from "./script.js";
import { createSession } from "./session.js";

/** What the command line says. */
export interface ReplFlags extends GatewayFlags {
  readonly source?: string | undefined;
}

/** Runs until the end of input or `\q`. */
export async function runRepl(flags: ReplFlags, io: Io): Promise<number> {
  const isTerminal = io.stdin.isTTY === true && io.stdout.isTTY === true;
  let spec: GatewaySpec = await chooseGateway(flags, io.environment);
  let agent: Agent = createAgent({ gateway: spec });
  const style = stylesOf(io);
  using feedback = createFeedback(io.stderr, style.err, { quiet: !isTerminal });
  let prompt: Prompt | undefined;
  const session = createSession({
    agent: () => agent,
    style: style.out,
    feedback,
    greets: isTerminal,
    write: (text) => io.stdout.write(text),
    page: (text) => page(text, prompt, io),
    ...(isTerminal ? { edit: (text) => suspended(prompt, () => editText(text, io.environment)) } : {}),
    width: () => tableWidth(io),
    async addDatabase(url) {
      if (!("databases" in spec)) {
        throw new AgentError("usage", "A gateway with its own configuration takes no further database from here.", {
          hint: "\\l lists its databases.",
        });
      }
      const name = nameSource(url, Object.keys(spec.databases));
      const next: GatewaySpec = { databases: { ...spec.databases, [name]: url } };
      const nextAgent = createAgent({ gateway: next });
      try {
        await nextAgent.check(name, { signal: session.signal });
      } catch (error) {
        await nextAgent[Symbol.asyncDispose]();
        throw error;
      }
      await agent[Symbol.asyncDispose]();
      [spec, agent] = [next, nextAgent];
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
    await agent[Symbol.asyncDispose]();
  }
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
