/** `db-agent notes`: what people know of a database, and the approved questions, shown and changed. Needs no database. */
import { AgentError } from "../errors.js";
import { knowledgeFolder, maxNotesCharacters, type Notes, openNotes } from "../knowledge/notes.js";
import { exitCodes, type Io, stylesOf, tableWidth } from "./io.js";
import { formatResult } from "./print/format.js";
import { toVisible, toVisibleLines } from "./print/text.js";
import { readAll } from "./read-all.js";
import { editText } from "./repl/pager.js";

/** What the command line says. */
export interface NotesFlags {
  /** Without one the databases that have notes are listed. */
  readonly source?: string | undefined;
  readonly action: "show" | "edit" | "add" | "remove" | "examples" | "keep" | "forget";
  readonly text?: string | undefined;
  readonly sql?: string | undefined;
  readonly output: "text" | "json";
}

/** Does it. @throws AgentError `usage`, `note_unknown` */
export async function runNotes(flags: NotesFlags, io: Io): Promise<number> {
  const notes = openNotes(knowledgeFolder(io.environment));
  const tell = (text: string): void => void io.stderr.write(`${text}\n`);
  if (flags.source === undefined) {
    const sources = await notes.sources();
    const lines = flags.output === "json" ? [JSON.stringify(sources)] : sources.map(toVisible);
    io.stdout.write(lines.map((line) => `${line}\n`).join(""));
    if (sources.length === 0) tell("There are no notes yet: db-agent notes <source> add …");
    return exitCodes.ok;
  }
  const { source } = flags;
  switch (flags.action) {
    case "show":
      await show(source, notes, flags, io);
      break;
    case "edit":
      await edit(source, notes, io);
      tell(`The notes are in ${notes.fileOf(source)}`);
      break;
    case "add":
      await notes.add(
        source,
        flags.text === "-" ? await readAll(io.stdin, "note") : wanted(flags.text, "add", "a note"),
      );
      tell(`Noted in ${notes.fileOf(source)}`);
      break;
    case "remove":
      tell(`Removed: ${toVisible(await remove(source, notes, wanted(flags.text, "remove", "words of the line")))}`);
      break;
    case "examples":
      await listExamples(source, notes, flags, io);
      break;
    case "keep":
      await notes.keep(source, {
        question: wanted(flags.text, "keep", "the question"),
        sql: wanted(flags.sql, "keep", "the statement"),
      });
      tell("Kept: it is shown to the model with similar questions.");
      break;
    case "forget":
      tell(
        `Forgotten: ${toVisible(await forget(source, notes, wanted(flags.text, "forget", "the question or its number")))}`,
      );
  }
  return exitCodes.ok;
}

async function show(source: string, notes: Notes, { output }: NotesFlags, io: Io): Promise<void> {
  const text = await notes.read(source);
  if (output === "json") {
    const examples = await notes.allExamples(source);
    io.stdout.write(`${JSON.stringify({ source, file: notes.fileOf(source), notes: text, examples }, null, 2)}\n`);
    return;
  }
  if (text === "")
    io.stderr.write(`There are no notes of ${toVisible(source)}: db-agent notes ${toVisible(source)} edit\n`);
  else io.stdout.write(`${toVisibleLines(text)}\n`);
  if (text.length > maxNotesCharacters) {
    io.stderr.write(`Models see the first ${maxNotesCharacters} characters; the rest crowds out the schema.\n`);
  }
}

async function edit(source: string, notes: Notes, io: Io): Promise<void> {
  const before = await notes.read(source);
  const after = (await editText(before === "" ? "" : `${before}\n`, io.environment, "notes.md")).trim();
  if (after !== before) await notes.write(source, after === "" ? "" : `${after}\n`);
}

/** The one line that holds the words. */
async function remove(source: string, notes: Notes, words: string): Promise<string> {
  const lines = (await notes.read(source)).split("\n");
  const found = lines.filter((line) => line.toLowerCase().includes(words.toLowerCase()));
  const [line] = found;
  if (line === undefined) throw unknown(`No line of the notes has these words: ${words}`, `db-agent notes ${source}`);
  if (found.length > 1) {
    throw new AgentError("usage", `${found.length} lines have these words: which one?`, { hint: found.join("\n") });
  }
  await notes.write(source, `${lines.filter((other) => other !== line).join("\n")}\n`);
  return line;
}

async function listExamples(source: string, notes: Notes, { output }: NotesFlags, io: Io): Promise<void> {
  const examples = await notes.allExamples(source);
  if (output === "json") {
    io.stdout.write(`${JSON.stringify(examples, null, 2)}\n`);
    return;
  }
  const rows = examples.map(({ question, sql }, index) => [index + 1, question, sql]);
  const result = {
    columns: ["", "question", "sql"],
    types: ["integer"],
    rows,
    rowCount: rows.length,
    truncated: false,
  };
  if (rows.length === 0) io.stderr.write("There are no examples: db-agent notes <source> keep <question> <sql>\n");
  else io.stdout.write(formatResult(result, "table", { width: tableWidth(io), style: stylesOf(io).out }));
}

async function forget(source: string, notes: Notes, given: string): Promise<string> {
  const examples = await notes.allExamples(source);
  const question = /^\d+$/.test(given) ? (examples[Number(given) - 1]?.question ?? given) : given;
  if (await notes.forget(source, question)) return question;
  throw unknown(`There is no example for this: ${question}`, `db-agent notes ${source} examples`);
}

function wanted(text: string | undefined, action: string, what: string): string {
  if (text !== undefined && text.trim() !== "") return text;
  throw new AgentError("usage", `${action} needs ${what}.`, { hint: "db-agent notes --help" });
}

const unknown = (message: string, where: string): AgentError =>
  new AgentError("note_unknown", message, { hint: `${where} shows what there is.` });
