/** Tells clients what has changed, by whatever serves them. Where the news is from is not its business. */
import type { Notifier } from "@database-interface/mcp-core/host";
import type { Change } from "./member.js";

/** All who serve clients. */
export interface News {
  /** Adds one until the returned function is called. */
  add(notify: Notifier): () => void;
  changed(changes: ReadonlySet<Change>): void;
  updated(uri: string): void;
}

export function createNews(): News {
  const all = new Set<Notifier>();
  return {
    add(notify) {
      all.add(notify);
      return () => all.delete(notify);
    },
    changed(changes) {
      for (const notify of all) {
        if (changes.has("tools")) notify.toolsChanged();
        if (changes.has("prompts")) notify.promptsChanged();
        if (changes.has("resources")) notify.resourcesChanged();
      }
    },
    updated(uri) {
      for (const notify of all) notify.resourceUpdated(uri);
    },
  };
}
