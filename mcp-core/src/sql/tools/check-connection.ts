/** `check_connection`: whether a source answers, what it is, and what the self-audit says of it. */
import * as v from "valibot";
import { toErrorReport } from "../../host/errors.js";
import { type Call, chooseSource, type Source, withDeadline } from "../call.js";
import { toJsonText } from "../json-text.js";
import { permit } from "../policy.js";
import { defineTool, sourceArgument } from "../tool.js";

export const checkConnection = defineTool({
  name: "check_connection",
  set: "core",
  access: "read",
  needsSource: false,
  input: v.strictObject({ source: sourceArgument }),
  describe: () => "Test the connection: round trip, server, version, user, TLS, mode, warnings.",
  async run({ source }, call) {
    permit(call.service.settings, "read");
    const sources = [...call.service.sources.values()];
    if (source !== undefined || sources.length === 1) {
      return toJsonText(await checkSource(chooseSource(call.service, source), call));
    }
    return toJsonText({ sources: await Promise.all(sources.map((one) => checkOrReport(one, call))) });
  },
});

/** The report of one source, in the words of the tool. */
export async function checkSource(source: Source, call: Pick<Call, "service" | "signal">) {
  const { settings } = call.service;
  const report = await source.database.check({ signal: withDeadline(call.signal, settings) });
  return {
    source: source.name,
    reachable: true,
    round_trip_ms: Math.round(report.roundTripMs * 100) / 100,
    server: report.server,
    version: report.version,
    database: report.database,
    user: report.user,
    tls: report.tls,
    mode: settings.mode,
    warnings: report.warnings,
  };
}

async function checkOrReport(source: Source, call: Call) {
  try {
    return await checkSource(source, call);
  } catch (error) {
    return { source: source.name, reachable: false, error: toErrorReport(error) };
  }
}
