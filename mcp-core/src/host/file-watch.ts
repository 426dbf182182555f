/**
 * Tells when a file may have changed: its folder is watched, because editors and Kubernetes replace files instead
 * of writing them, and SIGHUP asks for it. Several changes at once are one. It reads nothing.
 */
import { type FSWatcher, unwatchFile, watch, watchFile } from "node:fs";
import { dirname } from "node:path";
import type { Log } from "./log.js";

const settleMs = 150;
const pollMs = 2_000;

/** Calls `onChange` after the file's folder changed or the process got SIGHUP, until disposed. */
export function watchForChanges(path: string, onChange: () => void, { log }: { log: Log }): Disposable {
  let timer: NodeJS.Timeout | undefined;
  let watcher: FSWatcher | undefined;
  const settle = (): void => {
    clearTimeout(timer);
    timer = setTimeout(onChange, settleMs);
    timer.unref();
  };
  const poll = (error: unknown): void => {
    log.warn("file_polled", { error, hint: "The folder cannot be watched; the file is looked at every 2 s." });
    watchFile(path, { interval: pollMs, persistent: false }, settle);
  };
  try {
    watcher = watch(dirname(path), { persistent: false }, settle).on("error", poll);
  } catch (error) {
    poll(error);
  }
  // on a terminal the signal says that the terminal has gone: then we go too
  if (process.stdin.isTTY !== true) process.on("SIGHUP", settle);
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
      watcher?.close();
      unwatchFile(path, settle);
      process.off("SIGHUP", settle);
    },
  };
}
