/** The merged tools as they are where there are sessions: each database tool takes `session`, and the sessions' own tools stand behind them. */
import { type Fields, isFields } from "../message.js";
import type { Names, Owner } from "../naming.js";
import type { Template } from "../template.js";
import { sessionTools } from "./tools.js";

/** The same names without templates. `hasSources`: whether there are databases for calls without a session. */
export function withSessions(names: Names, templates: ReadonlyMap<string, Template>, hasSources: boolean): Names {
  if (templates.size === 0) return names;
  const tools = new Map<string, Owner>();
  for (const [name, owner] of names.tools)
    tools.set(name, owner.kind === "databases" ? { ...owner, entry: takingSession(owner.entry, hasSources) } : owner);
  const problems = [...names.problems];
  for (const tool of sessionTools) {
    if (tools.has(tool.name))
      problems.push(
        `A tool named ${tool.name} is not listed: the gateway has its own. Give its server another prefix.`,
      );
    tools.set(tool.name, { kind: "gateway", name: tool.name, entry: tool.describe(templates) });
  }
  const listedTools = [...tools].filter(([name]) => !names.blocked.has(name)).map(([, { entry }]) => entry);
  return { ...names, tools, listedTools, problems };
}

function takingSession(entry: Fields, hasSources: boolean): Fields {
  const schema = isFields(entry.inputSchema) ? entry.inputSchema : {};
  const { source, ...properties } = isFields(schema.properties) ? schema.properties : {};
  const { required: given, ...rest } = schema;
  const required = (Array.isArray(given) ? given : []).filter((name) => name !== "source");
  const needed = hasSources ? required : [...required, "session"];
  return {
    ...entry,
    inputSchema: {
      ...rest,
      properties: { ...properties, source: looseSource(source), session: { type: "string" } },
      ...(needed.length > 0 ? { required: needed } : {}),
    },
  };
}

/** In a session `source` names one of its connections, which no list of the config's sources has. */
function looseSource(source: unknown): Fields {
  if (!isFields(source) || !Array.isArray(source.enum)) return { type: "string" };
  const { enum: sources, description } = source;
  const known = typeof description === "string" ? description : sources.join(", ");
  return { type: "string", description: `${known}; or a connection of the session` };
}
