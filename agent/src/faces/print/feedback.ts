/**
 * What is going on, while it goes on: events as lines on stderr, with a spinner below them on a terminal. Rendering only;
 * stdout stays for results.
 */
import type { AgentEvent } from "../../events.js";
import { describeRows, formatError } from "./pieces.js";
import type { Style } from "./style.js";
import { fitText, toVisible } from "./text.js";

/** Where feedback is shown. */
export interface FeedbackStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Shows events until it is stopped. */
export interface Feedback extends Disposable {
  show(event: AgentEvent): void;
  /** Says what is being done, until something else is shown; on a terminal only. */
  busy(text: string): void;
  idle(): void;
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const frameMs = 80;
/** What is over sooner needs no spinner. */
const patienceMs = 150;

/** Feedback on a stream; `quiet` shows nothing but errors. */
export function createFeedback(stream: FeedbackStream, style: Style, { quiet = false } = {}): Feedback {
  const spinner = stream.isTTY && !quiet ? createSpinner(stream, style) : undefined;

  function line(text: string): void {
    spinner?.stop();
    stream.write(`${text}\n`);
  }

  return {
    show(event) {
      switch (event.type) {
        case "status":
          if (event.state === "up") {
            if (!quiet) line(`${style("green", "✓")} ${event.connection} is up: ${toVisible(event.message ?? "")}`);
          } else if (event.state !== "down" && event.state !== "inspected")
            spinner?.start(`${event.state} ${event.connection}`);
          if (!spinner && !quiet && event.state !== "up")
            line(`${style("dim", "·")} ${event.connection}: ${event.state}`);
          return;
        case "sql":
          if (!quiet)
            line(
              `${style("cyan", "▸")} ${toVisible(event.statement)} ${style("dim", toVisible(oneLine(event.sql, stream.columns)))}`,
            );
          spinner?.start(`running ${toVisible(event.statement)}`);
          return;
        case "progress":
          spinner?.start(
            `running ${toVisible(event.statement)}: ${toVisible(event.message ?? String(event.progress))}`,
          );
          if (!spinner && !quiet)
            line(
              `${style("dim", "·")} ${toVisible(event.statement)}: ${toVisible(event.message ?? String(event.progress))}`,
            );
          return;
        case "rows":
          if (!quiet)
            line(`${style("green", "✓")} ${toVisible(event.statement)}: ${describeRows(event)}, ${event.ms} ms`);
          return;
        case "error": {
          const subject = event.statement ?? event.connection;
          line(`${subject === undefined ? "" : `${toVisible(subject)}: `}${formatError(event.error, style)}`);
          if (event.willRetry) line(style("dim", "  trying again"));
          return;
        }
        case "approval_required":
          line(`${style("yellow", "?")} ${toVisible(event.message)}`);
          return;
        case "token":
        case "usage":
          return; // answers are results, and belong to stdout
        case "done":
          spinner?.stop();
          return;
      }
    },
    busy(text) {
      spinner?.start(text);
    },
    idle() {
      spinner?.stop();
    },
    [Symbol.dispose]() {
      spinner?.stop();
    },
  };
}

function createSpinner(stream: FeedbackStream, style: Style) {
  let timer: NodeJS.Timeout | undefined;
  let text = "";
  let since = 0;
  let frame = 0;
  let isDrawn = false;

  function draw(): void {
    const elapsedMs = performance.now() - since;
    if (elapsedMs < patienceMs) return;
    frame = (frame + 1) % frames.length;
    const seconds = elapsedMs >= 1_000 && !/\d s$/.test(text) ? ` ${(elapsedMs / 1_000).toFixed(0)} s` : "";
    const shown = fitText(`${text}…${seconds}`, Math.max(10, (stream.columns ?? 80) - 3));
    stream.write(`\r\u001b[2K${style("cyan", frames[frame] ?? "")} ${shown}`);
    isDrawn = true;
  }

  return {
    start(next: string): void {
      if (timer === undefined) {
        since = performance.now();
        timer = setInterval(draw, frameMs);
        timer.unref();
      }
      text = next;
    },
    stop(): void {
      clearInterval(timer);
      timer = undefined;
      if (isDrawn) stream.write("\r\u001b[2K");
      isDrawn = false;
    },
  };
}

function oneLine(sql: string, columns = 100): string {
  return fitText(sql.replace(/\s+/g, " ").trim(), Math.max(20, columns - 30));
}
