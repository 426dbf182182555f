/**
 * What is said at the prompt besides SQL: questions in words, messages, and writes that stop for whoever sits there. All
 * of it stands in one session of the agent, opened with the first of them or gone on with by its reference id.
 */
import type { Agent } from "../../agent.js";
import type { Answer } from "../../answer.js";
import type { Run } from "../../run-stream.js";
import type { Session as AgentSession } from "../../session.js";
import { type AnswerViewOptions, createAnswerView } from "../ask/answer-view.js";
import type { Asker } from "../ask/asker.js";
import { converse } from "../ask/converse.js";
import { decide } from "../ask/decide.js";

/** The conversation at the prompt. */
export interface Conversation {
  /** Its reference id; undefined before anything was said. */
  readonly reference: string | undefined;
  /** Whether a line is words for the model rather than SQL. */
  understands(line: string): boolean;
  /** Says something, with everything a human is asked on the way. @throws AgentError */
  hold(start: (session: AgentSession) => Run<Answer>, signal: AbortSignal): Promise<Answer>;
  /** Goes on with the session that was named: asks what it waits for, or resumes it. @throws AgentError `session_unknown` */
  goOn(signal: AbortSignal): Promise<void>;
}

/** What it works with. */
export interface ConversationParts extends Omit<AnswerViewOptions, "tell"> {
  readonly agent: Agent;
  readonly asker: Asker;
  /** The reference id to go on with. */
  readonly reference: string | undefined;
  readonly hasModel: boolean;
}

/** A conversation in which nothing has been said yet. */
export function createConversation(parts: ConversationParts): Conversation {
  const { agent, asker, feedback, style, width, hasModel } = parts;
  const tell = (text: string): void => parts.write(`${text}\n`);
  let opened: Promise<AgentSession> | undefined;
  let reference = parts.reference;

  async function open(): Promise<AgentSession> {
    opened ??= agent.session(reference);
    opened.catch(() => {
      opened = undefined;
    });
    const session = await opened;
    reference = session.id;
    return session;
  }

  return {
    get reference() {
      return reference;
    },
    understands: (line) => isWords(line, hasModel),
    async hold(start, signal) {
      const session = await open();
      const view = createAnswerView({ ...parts, tell });
      feedback.busy("thinking");
      try {
        const answer = await converse(start(session), session, {
          show: (event) => view.show(event),
          decide: (approval) => decide(approval, { asker, write: tell, style, width }),
          signal,
        });
        view.end(answer);
        if (answer.status === "waiting") tell("It waits for your answer: \\pending asks again.");
        return answer;
      } finally {
        feedback.idle();
      }
    },
    async goOn(signal) {
      const {
        isCutOff,
        approvals: [asked],
      } = await (await open()).show();
      if (isCutOff) {
        const typed = await asker.ask("A run of this session was cut off. Go on with it? [y/n] ");
        if (/^y(es)?$/i.test(typed?.trim() ?? "")) await this.hold(({ resume }) => resume({ signal }), signal);
        return;
      }
      if (asked === undefined) return;
      const decision = await decide(asked, { asker, write: tell, style, width });
      if (decision !== undefined) await this.hold(({ answer }) => answer(asked.approval, decision, { signal }), signal);
    },
  };
}

/** Words statements begin with and sentences do not. */
const verbs =
  /^(?:select|insert|update|delete|replace|merge|values|table|with|create|alter|drop|truncate|grant|revoke|begin|start|commit|rollback|set|call|do|explain|describe|desc|show|analyze|use|comment|rename|lock|copy)(?!\p{L})|^(?:\(|--|\/\*|#)/iu;
/** What makes a sentence of a verb that SQL has too. */
const sentence =
  /^(?:show|describe|explain|table|set|use|update|delete|with|do)\s+(?:me|us|how|why|what|which|who|all the|the)\b/i;

/** A question mark at the end says so, a semicolon says no; else what begins like no statement and is more than a word. */
function isWords(line: string, hasModel: boolean): boolean {
  const text = line.trim();
  if (text === "" || text.startsWith("\\") || text.endsWith(";")) return false;
  if (/[\p{L}\p{N}"')]\s*\?$/u.test(text)) return true;
  if (!hasModel || !/\s/.test(text)) return false;
  return sentence.test(text) || !verbs.test(text);
}
