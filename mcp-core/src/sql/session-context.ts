/**
 * Whose rows they are: settings of a transaction that carry the caller's id, for the database's own rules on rows to
 * read. The id comes from the door, never from a call's arguments. Knows nothing of how a product sets one or checks
 * that its rules hold.
 */
import { CodedError } from "../host/errors.js";
import { anonymousPrincipal, type Principal, sharedPrincipals } from "../host/principal.js";
import type { Source } from "./call.js";
import type { CallOptions, Database, DatabaseKind, SessionContext } from "./database.js";

/**
 * The names in `name=principal`; `principal` is the one value there is.
 * @throws CodedError `config_invalid`
 */
export function parseSessionContext(
  texts: readonly string[],
  { title, contextName }: Pick<DatabaseKind, "title" | "contextName">,
): readonly string[] {
  const example = contextName?.example;
  if (example === undefined) {
    if (texts.length === 0) return [];
    throw new CodedError("config_invalid", `${title} has no session context.`, { hint: "Leave it out." });
  }
  const names = texts.map((text) => {
    const [, name = "", value] = /^(.*?)\s*=\s*(.*)$/s.exec(text.trim()) ?? [];
    if (value === "principal" && contextName?.form.test(name)) return name;
    throw new CodedError(
      "config_invalid",
      `The session context ${JSON.stringify(text.slice(0, 80))} is not understood.`,
      {
        hint: `Write ${example}=principal: a setting of the database, and where its value comes from.`,
      },
    );
  });
  return Object.freeze([...new Set(names)]);
}

/** The sources as this principal's calls see them. A source without a context stays the same. */
export function boundTo(sources: ReadonlyMap<string, Source>, principal: Principal): ReadonlyMap<string, Source> {
  if (![...sources.values()].some(({ sessionContext = [] }) => sessionContext.length > 0)) return sources;
  return new Map([...sources].map(([name, source]) => [name, bind(source, principal)]));
}

/** The last line, in each database: a statement without its context would run as nobody. @throws CodedError `principal_required` */
export function assertContext(names: readonly string[], { context }: CallOptions): void {
  if (names.some((name) => !context?.get(name))) throw principalRequired();
}

function bind(source: Source, principal: Principal): Source {
  const { sessionContext: names = [], database } = source;
  if (names.length === 0) return source;
  const { writing } = database;
  const within = <Options extends CallOptions>(options: Options): Options => ({
    ...options,
    context: contextOf(names, principal),
  });
  const bound: Partial<Database> = {
    read: async (statement, sink, options) => database.read(statement, sink, within(options)),
    openCursor: async (statement, options) => database.openCursor(statement, within(options)),
    explain: async (statement, options) => database.explain(statement, within(options)),
    writing: writing && {
      plan: async (statement, options) => writing.plan(statement, within(options)),
      dryRun: async (statement, options) => writing.dryRun(statement, within(options)),
      run: async (statement, sink, options) => writing.run(statement, sink, within(options)),
    },
  };
  return { ...source, database: Object.assign(Object.create(database) as Database, bound) };
}

/** A name that many share says nothing of who calls. @throws CodedError `principal_required` */
function contextOf(names: readonly string[], { id }: Principal): SessionContext {
  if (id === "" || id === anonymousPrincipal.id || sharedPrincipals.has(id)) throw principalRequired();
  return new Map(names.map((name) => [name, id]));
}

const principalRequired = (): CodedError =>
  new CodedError("principal_required", "This source shows each caller their own rows, and nobody says who calls.", {
    hint: "Its operator gives every caller a name: --tokens-file or OAuth, over HTTP or at the gateway.",
  });
