/**
 * The user's OpenTelemetry set-up for the suite's own servers: they start with what this process was started with, so
 * that their spans go where ours go. Others' servers are told the trace context only.
 */
import { parseArgs } from "node:util";

/** What a server's process gets besides its own. */
export interface TelemetrySetup {
  /** For node, before the program: `--import …`. */
  readonly nodeArgs: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
}

/** `execArgv` and `environment` of this process; `service` is what the server calls itself in its spans. */
export function telemetryFor(
  service: string,
  execArgv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): TelemetrySetup {
  const inherited = (environment.NODE_OPTIONS ?? "").split(/\s+/).filter((word) => word !== "");
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment))
    if (value !== undefined && name.startsWith("OTEL_")) variables[name] = value;
  return {
    nodeArgs: [...preloads(inherited), ...preloads(execArgv)],
    variables: { ...variables, OTEL_SERVICE_NAME: service },
  };
}

/** Nothing else: a port to debug at, for one, can be had only once. */
function preloads(args: readonly string[]): string[] {
  const { tokens } = parseArgs({
    args: [...args],
    options: { import: { type: "string", multiple: true }, require: { type: "string", short: "r", multiple: true } },
    strict: false,
    tokens: true,
  });
  return tokens.flatMap((token) =>
    token.kind === "option" && (token.name === "import" || token.name === "require") && token.value !== undefined
      ? [`--${token.name}`, token.value]
      : [],
  );
}
