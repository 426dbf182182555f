/**
 * The lines to paste into an MCP host's configuration so that it starts a server of ours. It knows the hosts' formats,
 * nothing of what the server does.
 */

/** What the host is to start. */
export interface HostConfigOptions {
  readonly host: HostName;
  /** The server's name in the host. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Environment variables; secrets belong in a placeholder, never here in plain. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

interface Server {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>> | undefined;
}

const json = (value: unknown): string => JSON.stringify(value, null, 2);

const start = ({ command, args, env }: Server) => ({ command, args, ...(env === undefined ? {} : { env }) });

const mcpServers = (server: Server): string => json({ mcpServers: { [server.name]: start(server) } });

/** Each host's format, and the file it goes into. */
const hosts = {
  "claude-desktop": { file: "claude_desktop_config.json", write: mcpServers },
  "claude-code": { file: ".mcp.json", write: mcpServers },
  cursor: { file: "~/.cursor/mcp.json or .cursor/mcp.json", write: mcpServers },
  vscode: {
    file: ".vscode/mcp.json",
    write: (server: Server) => json({ servers: { [server.name]: { type: "stdio", ...start(server) } } }),
  },
  windsurf: { file: "~/.codeium/windsurf/mcp_config.json", write: mcpServers },
  zed: {
    file: "settings.json",
    write: (server: Server) => json({ context_servers: { [server.name]: { source: "custom", ...start(server) } } }),
  },
  gemini: { file: "~/.gemini/settings.json or .gemini/settings.json", write: mcpServers },
  codex: { file: "~/.codex/config.toml", write: codexToml },
  cline: { file: "cline_mcp_settings.json", write: mcpServers },
  "lm-studio": { file: "~/.lmstudio/mcp.json", write: mcpServers },
  opencode: {
    file: "opencode.json",
    write: ({ name, command, args, env }: Server) =>
      json({
        mcp: {
          [name]: { type: "local", command: [command, ...args], enabled: true, ...(env ? { environment: env } : {}) },
        },
      }),
  },
  goose: { file: "~/.config/goose/config.yaml", write: gooseYaml },
} as const satisfies Record<string, { file: string; write(server: Server): string }>;

export type HostName = keyof typeof hosts;

/** All hosts whose format is known. */
export const hostNames = Object.keys(hosts) as readonly HostName[]; // the keys of the table above

/** The exact text to paste, ending in a line break. */
export function hostConfig({ host, name, command, args, env }: HostConfigOptions): string {
  const given = env !== undefined && Object.keys(env).length > 0 ? env : undefined;
  return `${hosts[host].write({ name, command, args, env: given })}\n`;
}

/** Where the text goes, in words. */
export const hostConfigFile = (host: HostName): string => hosts[host].file;

function codexToml({ name, command, args, env }: Server): string {
  const key = /^[A-Za-z0-9_-]+$/.test(name) ? name : toml(name);
  const lines = [`[mcp_servers.${key}]`, `command = ${toml(command)}`, `args = [${args.map(toml).join(", ")}]`];
  if (env !== undefined) {
    lines.push(
      "",
      `[mcp_servers.${key}.env]`,
      ...Object.entries(env).map(([variable, value]) => `${variable} = ${toml(value)}`),
    );
  }
  return lines.join("\n");
}

/** JSON is YAML, so quoted texts and lists are written as JSON. */
function gooseYaml({ name, command, args, env }: Server): string {
  return [
    "extensions:",
    `  ${JSON.stringify(name)}:`,
    `    name: ${JSON.stringify(name)}`,
    "    type: stdio",
    "    enabled: true",
    `    cmd: ${JSON.stringify(command)}`,
    `    args: ${JSON.stringify(args)}`,
    ...(env === undefined ? [] : [`    envs: ${JSON.stringify(env)}`]),
    "    timeout: 300",
  ].join("\n");
}

/** A TOML basic string; JSON's escapes are all among its own. */
const toml = (text: string): string => JSON.stringify(text).replaceAll("\x7f", "\\u007f");
