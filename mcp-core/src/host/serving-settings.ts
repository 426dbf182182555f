/** What every program that serves MCP can be told about it: where it listens, who may come in, what it logs. */
import * as v from "valibot";
import { type Access, accessSettings } from "./access/settings.js";
import { hostNames } from "./host-config.js";
import type { HttpOptions } from "./http-options.js";
import { logLevels } from "./log.js";
import { wholeSchema } from "./quantities.js";
import { type SettingValues, setting } from "./setting.js";

/** The one token, for serving and for asking who serves. */
export const tokenSetting = setting(v.optional(v.string()), {
  describe: "The bearer token clients must send; required off loopback.",
  env: ["MCP_TOKEN"],
  secret: true,
  group: "Serving",
});

/** The action that every program a host can start knows. */
export const printConfigSetting = setting(v.optional(v.picklist(hostNames)), {
  describe: "Prints the lines to paste into an MCP host.",
  placeholder: "host",
  file: false,
  group: "Actions",
});

/** The settings; `port` is the one a program listens on by default. */
export const servingSettings = ({ port }: { readonly port: number }) => ({
  host: setting(v.string(), {
    describe: "The address to listen on.",
    env: ["MCP_HOST"],
    placeholder: "address",
    default: "127.0.0.1",
    group: "Serving",
  }),
  port: setting(wholeSchema({ min: 0, max: 65_535 }), {
    describe: "The port to listen on; 0 for any free one.",
    env: ["MCP_PORT"],
    default: port,
    group: "Serving",
  }),
  token: tokenSetting,
  ...accessSettings,
  allowedHosts: setting(v.optional(v.array(v.string())), {
    describe: "Host names clients may use besides the address listened on.",
    env: ["MCP_ALLOWED_HOSTS"],
    placeholder: "names",
    group: "Serving",
  }),
  allowedOrigins: setting(v.optional(v.array(v.string())), {
    describe: "Web origins that may call.",
    env: ["MCP_ALLOWED_ORIGINS"],
    placeholder: "origins",
    group: "Serving",
  }),
  logLevel: setting(v.picklist(logLevels), {
    describe: "The least level written to stderr.",
    env: ["MCP_LOG_LEVEL"],
    default: "info",
    group: "Serving",
  }),
});

/** How HTTP is served by these settings. */
export function toHttpOptions(
  values: SettingValues<ReturnType<typeof servingSettings>>,
  { authenticators, rateLimiter }: Access,
): HttpOptions {
  const { host, port, token, allowedHosts, allowedOrigins } = values;
  return { host, port, token, authenticators, rateLimiter, allowedHosts, allowedOrigins };
}
