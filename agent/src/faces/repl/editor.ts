/**
 * The line a person types into: node's readline, with colours, a history of whole statements, Ctrl-R, questions whose
 * answer is not shown, and keys that wait while something runs. It knows lines and keys, nothing of SQL or databases.
 */
import { createInterface, type Interface, type Key } from "node:readline";
import { continueSearch, type Entries, neighbour, newSearch, type Search } from "./recall.js";

/** What was typed. */
export type Typed =
  | { readonly kind: "line"; readonly text: string }
  /** Ctrl-C; `wasEmpty` when there was nothing to give up. */
  | { readonly kind: "interrupt"; readonly wasEmpty: boolean }
  /** Ctrl-D, or the end of the terminal. */
  | { readonly kind: "end" };

/** What an editor needs. */
export interface EditorOptions {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  /** Earlier entries, newest first; asked for anew at each line. */
  history(): Entries;
  complete(line: string): Promise<[string[], string]>;
  /** The line with colours; the same characters. */
  highlight(line: string): string;
  /** Ctrl-C while no line is asked for. */
  onInterrupt(): void;
}

/** The editor; dispose it to give the terminal back. */
export interface Editor extends Disposable {
  /** Asks for a line; `text` stands there already. */
  read(prompt: string, options?: { readonly text?: string }): Promise<Typed>;
  /** Asks a question. An answer that is not shown is neither drawn nor remembered. */
  ask(prompt: string, options?: { readonly isHidden?: boolean; readonly text?: string }): Promise<Typed>;
  /** Lets another program have the terminal. */
  suspend<T>(use: () => Promise<T>): Promise<T>;
}

/** What node:repl itself uses of its Interface, by the same names in every version since Node 0.6. */
interface RawInterface extends Interface {
  line: string;
  cursor: number;
  prevRows: number;
  _ttyWrite(text: string | undefined, key: Key): void;
  _refreshLine(): void;
  _writeToOutput(text: string): void;
  clearLine(): void;
}

type Mode = "line" | "question" | "hidden";

/** Opens the editor on a terminal. */
export function openEditor(options: EditorOptions): Editor {
  const { input, output } = options;
  const raw = createInterface({
    input,
    output,
    terminal: true,
    historySize: 0, // ours holds whole statements
    tabSize: 4,
    completer: (line: string, done: (error: Error | null, result: [string[], string]) => void) => {
      const found = mode === "line" ? options.complete(line) : Promise.resolve<[string[], string]>([[], line]);
      found.then(
        (offered) => done(null, offered),
        () => done(null, [[], line]),
      );
    },
  }) as RawInterface; // the class behind the type has these members, see above
  const handleKey = raw._ttyWrite.bind(raw);
  const write = raw._writeToOutput.bind(raw);
  let mode: Mode = "line";
  let reading: ((typed: Typed) => void) | undefined;
  let isEnded = false;
  /** Keys pressed while nothing was asked for. */
  const held: (readonly [string | undefined, Key])[] = [];
  let search: (Search & { readonly draft: string; readonly prompt: string }) | undefined;
  let recalled = { at: -1, draft: "" };
  let drawing: NodeJS.Immediate | undefined;

  function settle(typed: Typed): void {
    const resolve = reading;
    reading = undefined;
    recalled = { at: -1, draft: "" };
    resolve?.(typed);
  }

  function setLine(text: string): void {
    raw.line = text;
    raw.cursor = text.length;
    raw._refreshLine();
  }

  raw._writeToOutput = (text) => {
    const prompt = raw.getPrompt();
    if (mode === "hidden") write(text.startsWith(prompt) ? prompt : /^[\r\n]+$/.test(text) ? text : "");
    else if (mode === "line" && text === prompt + raw.line) write(prompt + options.highlight(raw.line));
    else write(text);
  };

  /** Draws the line once for all the keys that came at a time. */
  function redrawSoon(): void {
    if (mode !== "line") return;
    drawing ??= setImmediate(() => {
      drawing = undefined;
      if (reading !== undefined && options.highlight(raw.line) !== raw.line) raw._refreshLine();
    });
  }

  function press(text: string | undefined, key: Key): void {
    if (reading === undefined) {
      if (key.ctrl === true && key.name === "c") options.onInterrupt();
      else if (key.ctrl === true && key.name === "z") handleKey(text, key);
      else held.push([text, key]);
    } else if (search !== undefined) pressInSearch(search, text, key);
    else if (mode === "line" && key.ctrl === true && key.name === "r") {
      search = { ...newSearch, draft: raw.line, prompt: raw.getPrompt() };
      drawSearch(search);
    } else if (mode === "line" && isStep(key)) step(key.name === "up" || key.name === "p" ? 1 : -1);
    else {
      const before = raw.line;
      handleKey(text, key);
      if (raw.line !== before) recalled = { at: -1, draft: "" };
      redrawSoon();
    }
  }

  function step(direction: 1 | -1): void {
    if (recalled.at === -1) recalled = { at: -1, draft: raw.line };
    const found = neighbour(options.history(), recalled.at, direction, recalled.draft);
    if (found !== undefined) {
      recalled = { ...recalled, at: found.at };
      setLine(found.entry);
    } else if (direction === -1 && recalled.at !== -1) {
      const { draft } = recalled;
      recalled = { at: -1, draft };
      setLine(draft);
    }
  }

  function drawSearch(current: Search): void {
    const found = options.history()[current.at] ?? "";
    raw.setPrompt(`(${current.isFailing ? "nothing with" : "search"} ${current.wanted}) `);
    raw.line = found;
    raw.cursor = Math.max(0, found.toLowerCase().indexOf(current.wanted.toLowerCase()));
    raw._refreshLine();
  }

  function pressInSearch(current: NonNullable<typeof search>, text: string | undefined, key: Key): void {
    const change = toChange(text, key);
    if (change !== undefined) {
      search = { ...current, ...continueSearch(options.history(), current, change) };
      drawSearch(search);
      return;
    }
    search = undefined;
    raw.setPrompt(current.prompt);
    const isGivenUp = key.name === "escape" || (key.ctrl === true && (key.name === "c" || key.name === "g"));
    setLine(isGivenUp || current.at === -1 ? current.draft : raw.line);
    if (!isGivenUp && key.name !== "tab") press(text, key);
  }

  raw._ttyWrite = (text, key) => press(text, key ?? {});
  raw.on("line", (text) => settle({ kind: "line", text }));
  raw.on("SIGINT", () => {
    const wasEmpty = raw.line === "";
    raw.clearLine();
    settle({ kind: "interrupt", wasEmpty });
  });
  raw.on("close", () => {
    isEnded = true;
    settle({ kind: "end" });
  });

  async function readIn(next: Mode, prompt: string, text = ""): Promise<Typed> {
    if (isEnded) return { kind: "end" };
    mode = next;
    raw.setPrompt(prompt);
    raw.line = text;
    const typed = new Promise<Typed>((resolve) => {
      reading = resolve;
    });
    raw.prompt();
    if (text !== "") setLine(text);
    for (let key = held.shift(); key !== undefined; key = reading === undefined ? undefined : held.shift())
      press(...key);
    return typed;
  }

  return {
    read: (prompt, { text } = {}) => readIn("line", prompt, text),
    ask: (prompt, { isHidden = false, text } = {}) => readIn(isHidden ? "hidden" : "question", prompt, text),
    async suspend(use) {
      const ignore = (): void => {}; // the other program has the keys; its Ctrl-C reaches us as a signal
      process.on("SIGINT", ignore);
      raw.pause();
      input.setRawMode(false);
      try {
        return await use();
      } finally {
        process.off("SIGINT", ignore);
        if (!isEnded) {
          input.setRawMode(true);
          raw.resume();
        }
      }
    },
    [Symbol.dispose]() {
      clearImmediate(drawing);
      raw.close();
    },
  };
}

const isStep = ({ name = "", ctrl = false, meta = false }: Key): boolean =>
  !meta && (ctrl ? name === "p" || name === "n" : name === "up" || name === "down");

/** What a key does to a search; undefined for one that ends it. */
function toChange(
  text: string | undefined,
  { name, ctrl, meta }: Key,
): Parameters<typeof continueSearch>[2] | undefined {
  if (ctrl === true) return name === "r" ? "older" : name === "s" ? "newer" : name === "h" ? "shorter" : undefined;
  if (name === "backspace") return "shorter";
  const isText = meta !== true && text !== undefined && /^\P{Cc}+$/u.test(text);
  return isText ? { type: text } : undefined;
}
