/**
 * Questions to whoever sits at the terminal, one after the other, on stderr: stdout stays for results. Between two
 * questions the terminal is as it was, so that Ctrl-C reaches what runs.
 */
import type { Io } from "../io.js";
import { type Editor, openEditor } from "../repl/editor.js";
import { editText } from "../repl/pager.js";

/** Somebody who can be asked. */
export interface Asker {
  /** The line they typed; undefined when they left by Ctrl-C or Ctrl-D. */
  ask(prompt: string, options?: { readonly isHidden?: boolean; readonly text?: string }): Promise<string | undefined>;
  /** A text after their editor has had it. @throws AgentError `editor_failed` */
  edit(text: string): Promise<string>;
}

/** Whoever sits at the terminal; undefined where nobody does. A signal that fires counts as leaving. */
export function openAsker(io: Io, signal: AbortSignal): Asker | undefined {
  if (!io.stdin.isTTY || !io.stderr.isTTY) return undefined;
  return {
    async ask(prompt, options) {
      const editor = openEditor({
        input: io.stdin,
        output: io.stderr,
        history: () => [],
        complete: async (line) => [[], line],
        highlight: (line) => line,
        onInterrupt: () => {},
      });
      const leave = (): void => editor[Symbol.dispose]();
      signal.addEventListener("abort", leave);
      try {
        return signal.aborted ? undefined : await typedIn(editor, prompt, options);
      } finally {
        signal.removeEventListener("abort", leave);
        leave();
      }
    },
    edit: (text) => editText(text, io.environment),
  };
}

/** Whoever sits at a prompt that is open already. */
export function askerAt(editor: () => Editor | undefined, edit: (text: string) => Promise<string>): Asker {
  return {
    async ask(prompt, options) {
      const open = editor();
      return open === undefined ? undefined : typedIn(open, prompt, options);
    },
    edit,
  };
}

async function typedIn(
  editor: Editor,
  prompt: string,
  options: Parameters<Editor["ask"]>[1],
): Promise<string | undefined> {
  const typed = await editor.ask(prompt, options);
  return typed.kind === "line" ? typed.text : undefined;
}
