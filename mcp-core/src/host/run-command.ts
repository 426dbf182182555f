/**
 * The whole life of a command line: arguments, config file and environment into values, signals into an abort, errors
 * into one readable line and an exit code. What the command does is its own `run`.
 */
import type { Readable, Writable } from "node:stream";
import { setFlagsFromString } from "node:v8";
import { parseArguments } from "./command-line.js";
import type { CommandLine } from "./command-tree.js";
import { type ConfigFile, readConfigFile } from "./config-file.js";
import { CodedError } from "./errors.js";
import { createLog } from "./log.js";
import { logPrinted } from "./printed.js";
import { redactText } from "./redact.js";
import { type Environment, resolveSettings } from "./resolve-settings.js";
import type { Settings, SettingValues } from "./setting.js";

/** The process as a command sees it. */
export interface CommandIo {
  /** Fires on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  readonly environment: Environment;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** What a command is run with. */
export interface CommandCall<S extends Settings> {
  readonly values: SettingValues<S>;
  readonly positionals: readonly string[];
  /** The flags that were given, by setting key, as text: for values that need more than a schema. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** The config file, when one was named. */
  readonly file: ConfigFile | undefined;
  readonly io: CommandIo;
}

/** A command: its command line and what it does. Resolves to the exit code. */
export interface CommandSpec<S extends Settings = Settings> extends CommandLine {
  readonly settings: S;
  // biome-ignore lint/suspicious/noExplicitAny: a list of commands with settings of their own each has no narrower type
  readonly commands?: readonly CommandSpec<any>[];
  /** The setting that holds the config file's path; the file's keys are then the settings without `file: false`. */
  readonly configFile?: keyof S & string;
  /** The settings within the config file's object, for files that hold more than settings. Default: the whole of it. */
  settingsInFile?(value: unknown): unknown;
  run(call: CommandCall<S>): Promise<number>;
}

/** What to run a command with instead of this process; `argv` without node and script. */
export interface CommandOptions extends Partial<CommandIo> {
  readonly argv?: readonly string[];
}

/** Milliseconds a finished command may take to let go of its last handles. */
const lingerMs = 3_000;

/** Milliseconds within which a second signal is the first once more: npm and shells pass on what the terminal sent too. */
const echoMs = 250;

/** Codes of mistakes in what the user wrote, as opposed to failures of what was started. */
const usageCodes = new Set(["usage", "config_invalid", "config_unreadable", "variable_unset", "url_invalid"]);

/** A spec as a value whose `run` knows its settings' types. */
export const defineCommand = <const S extends Settings>(spec: CommandSpec<S>): CommandSpec<S> => spec;

/**
 * Runs a command and resolves to the exit code: its own, 2 for a mistake in arguments or configuration, 1 for a failure.
 * Never rejects. In the process itself a second SIGINT or SIGTERM, a quarter of a second or more after the first, ends it
 * at once.
 */
export async function runCommand<S extends Settings>(
  spec: CommandSpec<S>,
  options: CommandOptions = {},
): Promise<number> {
  const stdout = options.stdout ?? process.stdout;
  const stderr = options.stderr ?? process.stderr;
  const isWholeProcess = options.signal === undefined && options.stdout === undefined && options.stderr === undefined;
  using interruption = isWholeProcess ? takeProcess(spec.name) : undefined;
  const io: CommandIo = {
    signal: options.signal ?? interruption?.signal ?? new AbortController().signal,
    environment: options.environment ?? process.env,
    stdin: options.stdin ?? process.stdin,
    stdout,
    stderr,
  };
  const code = await run(spec, options.argv ?? process.argv.slice(2), io).catch((error: unknown) => {
    stderr.write(`${errorLine(spec.name, error)}\n`);
    return error instanceof CodedError && usageCodes.has(error.code) ? 2 : 1;
  });
  if (isWholeProcess) setTimeout(() => process.exit(code), lingerMs).unref();
  return code;
}

async function run<S extends Settings>(spec: CommandSpec<S>, argv: readonly string[], io: CommandIo): Promise<number> {
  const columns = "columns" in io.stdout && typeof io.stdout.columns === "number" ? io.stdout.columns : 100;
  const parsed = await parseArguments(spec, argv, columns);
  if (parsed.kind === "print") {
    await write(io.stdout, parsed.text);
    return 0;
  }
  // each command meets its own settings again: the values below are resolved from them
  const { command, settings } = findCommand(spec as unknown as CommandSpec, parsed.path);
  const file = await readNamedFile(command, settings, parsed.flags, io.environment);
  const inFile =
    file === undefined || command.settingsInFile === undefined ? file?.value : command.settingsInFile(file.value);
  const values = resolveSettings(settings, { flags: parsed.flags, environment: io.environment, file: inFile });
  return await command.run({ values, positionals: parsed.positionals, flags: parsed.flags, file, io });
}

function findCommand(spec: CommandSpec, path: readonly string[]): { command: CommandSpec; settings: Settings } {
  const [name, ...rest] = path;
  const inner = spec.commands?.find((one) => one.name === name);
  if (inner === undefined) return { command: spec, settings: spec.settings };
  const found = findCommand(inner, rest);
  const { configFile, settingsInFile } = spec;
  const inherited = {
    ...(configFile === undefined ? {} : { configFile }),
    ...(settingsInFile === undefined ? {} : { settingsInFile }),
  };
  return { command: { ...inherited, ...found.command }, settings: { ...spec.settings, ...found.settings } };
}

async function readNamedFile(
  command: CommandSpec,
  settings: Settings,
  flags: Readonly<Record<string, unknown>>,
  environment: Environment,
): Promise<ConfigFile | undefined> {
  const key = command.configFile;
  const one = key === undefined ? undefined : settings[key];
  if (key === undefined || one === undefined) return undefined;
  const path: unknown = resolveSettings({ [key]: one }, { flags, environment })[key];
  return typeof path === "string" && path !== "" ? readConfigFile(path, { environment }) : undefined;
}

function write(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve) => stream.write(text, () => resolve()));
}

/** One line: the program, the code, what happened, what to do. */
export function errorLine(name: string, error: unknown): string {
  const text =
    error instanceof CodedError
      ? `[${error.code}] ${error.message}${error.hint === undefined ? "" : ` ${error.hint}`}`
      : `[internal] ${error instanceof Error ? error.message : String(error)}`;
  return `${name}: ${redactText(text.replace(/\s*\n\s*/g, " "))}`;
}

/** The process's signals, closed pipes, stray errors and prints, until disposed. */
function takeProcess(name: string): Disposable & { readonly signal: AbortSignal } {
  // A server lives as long as its host beside others of its kind: V8 frees early instead of growing its heap first.
  // A million rows read page by page: peak 133 MB instead of 182; calls take 1.03 to 1.05 times as long.
  setFlagsFromString("--optimize-for-size");
  const controller = new AbortController();
  let first = 0;
  const interrupt = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      if (performance.now() - first < echoMs) return;
      process.exit(signal === "SIGINT" ? 130 : 143);
    }
    first = performance.now();
    controller.abort(new CodedError("cancelled", `Stopped by ${signal}.`));
  };
  // Node's own report would print the whole error, and with it what drivers put into theirs
  const fail = (error: unknown): void => {
    process.stderr.write(`${errorLine(name, error)}\n`);
    process.exit(1);
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt).on("uncaughtException", fail).on("unhandledRejection", fail);
  for (const stream of [process.stdout, process.stderr]) stream.on("error", ignoreClosedPipe);
  const printed = logPrinted(createLog({ name }));
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      printed[Symbol.dispose]();
      process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
      process.off("uncaughtException", fail).off("unhandledRejection", fail);
    },
  };
}

/** A reader like `head` has had enough. */
function ignoreClosedPipe(): void {}
