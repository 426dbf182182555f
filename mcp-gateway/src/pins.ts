/**
 * The descriptors of other people's tools as they were when first seen or last approved, on disk by what is run or
 * called, not by its name in the config. A tool that then says something else is blocked until a person approves it: a
 * description is text that a model obeys. It knows no server and no client.
 */
import { createHash } from "node:crypto";
import { type FSWatcher, mkdirSync, readFileSync, renameSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "@database-interface/mcp-core/host";
import { type Fields, isFields } from "./message.js";

/** A tool that changed: how it was approved and what it is now. */
export interface ChangedTool {
  readonly name: string;
  readonly approved: Fields;
  readonly current: Fields;
}

/** The pinned descriptors of all servers; disposing it ends the watch. */
export interface Pins extends Disposable {
  /** The tools whose descriptors are not the approved ones; those never seen are pinned as they are. */
  changed(key: string, tools: readonly Fields[]): readonly ChangedTool[];
  /** Pins all tools as they are now. */
  approve(key: string, tools: readonly Fields[]): void;
}

/** Where pins are, given where listings are. */
export const pinFolder = (cacheFolder: string): string => join(cacheFolder, "pins");

/** Pins in a folder that only its owner can read; without a usable folder they last as long as the process. */
export function openPins(options: { folder: string; log: Log; onChange?: () => void }): Pins {
  const { folder, log, onChange } = options;
  const known = new Map<string, Map<string, Fields>>();
  let watcher: FSWatcher | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (onChange !== undefined) {
      watcher = watch(folder, { persistent: false }, () => {
        known.clear();
        onChange();
      }).on("error", (error) => log.debug("pins_not_watched", { error }));
    }
  } catch (error) {
    log.warn("pins_in_memory", { folder, error });
  }
  const fileOf = (key: string): string => join(folder, `${key}.json`);

  function load(key: string): Map<string, Fields> {
    const pinned = known.get(key) ?? readPins(fileOf(key));
    known.set(key, pinned);
    return pinned;
  }

  function save(key: string, pinned: Map<string, Fields>): void {
    known.set(key, pinned);
    try {
      const draft = `${fileOf(key)}.${process.pid}`;
      writeFileSync(draft, JSON.stringify(Object.fromEntries(pinned)), { mode: 0o600 });
      renameSync(draft, fileOf(key));
    } catch (error) {
      log.warn("pins_not_written", { error });
    }
  }

  return {
    changed(key, tools) {
      const pinned = load(key);
      const fresh = tools.filter(({ name }) => typeof name === "string" && !pinned.has(name));
      if (fresh.length > 0) save(key, new Map([...pinned, ...byName(fresh)]));
      return tools.flatMap((current) => {
        const approved = typeof current.name === "string" ? pinned.get(current.name) : undefined;
        if (approved === undefined || hash(approved) === hash(current)) return [];
        return [{ name: String(current.name), approved, current }];
      });
    },
    approve: (key, tools) => save(key, new Map([...load(key), ...byName(tools)])),
    [Symbol.dispose]: () => watcher?.close(),
  };
}

const byName = (tools: readonly Fields[]): [string, Fields][] => tools.map((tool) => [String(tool.name), tool]);

function readPins(path: string): Map<string, Fields> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return new Map(
      Object.entries(isFields(value) ? value : {}).filter((entry): entry is [string, Fields] => isFields(entry[1])),
    );
  } catch {
    return new Map(); // absent: never seen
  }
}

/** Of the whole descriptor; the order of its keys says nothing. */
const hash = (value: unknown): string =>
  createHash("sha256")
    .update(JSON.stringify(sorted(value)))
    .digest("hex");

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .toSorted()
      .map((key) => [key, sorted(value[key])]),
  );
}

/** What changed, a line for each key, for a person to judge. */
export function describeChange({ name, approved, current }: ChangedTool): string[] {
  const keys = [...new Set([...Object.keys(approved), ...Object.keys(current)])];
  const different = keys.filter(
    (key) => JSON.stringify(sorted(approved[key])) !== JSON.stringify(sorted(current[key])),
  );
  return different.flatMap((key) => [
    `${name}.${key}`,
    `  - ${printable(approved[key])}`,
    `  + ${printable(current[key])}`,
  ]);
}

/** Nothing in it may speak to the terminal. */
const printable = (value: unknown): string =>
  (JSON.stringify(value) ?? "(absent)").replaceAll(
    /[\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
