/** An answer as it comes, for people: the statement, its rows, the words, and what to mind about them. */
import type { Answer } from "../../answer.js";
import type { AgentEvent, Usage } from "../../events.js";
import type { QueryResult } from "../../result.js";
import type { Feedback } from "../print/feedback.js";
import { formatResult } from "../print/format.js";
import { describeRows, formatError } from "../print/pieces.js";
import type { Style } from "../print/style.js";
import { toVisibleLines } from "../print/text.js";

/** Where it is shown: results on one side, what goes on beside them on the other. */
export interface AnswerViewOptions {
  readonly feedback: Feedback;
  /** Results. */
  write(text: string): void;
  /** What is no result: usage, failures. */
  tell(text: string): void;
  readonly style: Style;
  width(): number | undefined;
}

/** Shows events while they come, and at the end what they left out. */
export interface AnswerView {
  show(event: AgentEvent): void;
  end(answer: Answer): void;
}

/** A view of one answer. */
export function createAnswerView({ feedback, write, tell, style, width }: AnswerViewOptions): AnswerView {
  let spoken = "";
  let lastError = "";

  /** Ends the line the words stand on. */
  function endWords(): void {
    if (spoken !== "" && !spoken.endsWith("\n")) write("\n");
  }

  return {
    show(event) {
      switch (event.type) {
        case "sql":
          feedback.idle();
          write(`${style("cyan", toVisibleLines(event.sql.trim()))}\n`);
          feedback.busy("running");
          return;
        case "rows":
          feedback.idle();
          if (event.columns.length > 0) {
            write(`${formatResult(toResult(event), "table", { width: width(), style }).trimEnd()}\n`);
          }
          write(`${style("dim", `(${describeRows(event)}, ${event.ms} ms)`)}\n`);
          feedback.busy("thinking");
          return;
        case "token":
          feedback.idle();
          write(toVisibleLines(event.text));
          spoken += event.text;
          return;
        case "usage":
        case "approval_required":
          return; // the sum stands at the end, and the question is asked there
        case "error":
          lastError = event.error.message;
          feedback.show(event);
          if (event.willRetry) feedback.busy("thinking");
          return;
        default:
          feedback.show(event);
      }
    },
    end({ status, text, caveats, error, usage }) {
      feedback.idle();
      endWords();
      if (status === "answered" && text !== "" && spoken.trim() !== text.trim()) write(`${toVisibleLines(text)}\n`);
      if (error !== undefined && error.message !== lastError) tell(formatError(error, style));
      for (const caveat of caveats) write(`${style("yellow", "!")} ${toVisibleLines(caveat)}\n`);
      if (usage !== undefined) tell(style("dim", describeUsage(usage)));
      spoken = "";
    },
  };
}

/** Without the hint, which a schema has as optional in another way. */
const toResult = ({ hint: _, ...result }: Extract<AgentEvent, { type: "rows" }>): QueryResult => result;

/** Such as `1,200 tokens in, 80 out, 0.0023`. */
export function describeUsage({ inputTokens, outputTokens, cost }: Usage): string {
  const count = (tokens: number): string => tokens.toLocaleString("en");
  const price = cost === undefined ? "" : `, cost ${cost.toFixed(cost < 0.01 ? 6 : 4)}`;
  return `${count(inputTokens)} tokens in, ${count(outputTokens)} out${price}`;
}
