/** Whether somebody has changed a source's catalogue, told by its fingerprint, which is looked at only when asked and seldom. */
import type { CallOptions, Catalog } from "./database.js";

/** What has been seen of a catalogue so far. */
export interface CatalogWatch {
  /** Rises with every change that is seen, the first look among them. */
  readonly generation: number;
  /** Looked at already, or there is nothing to look at. */
  readonly hasLooked: boolean;
  /** Looks if it is time to: false when it cannot be told whether something changed. */
  isCurrent(call: CallOptions): Promise<boolean>;
}

/** Milliseconds between two looks at the fingerprint at least. */
const lookEveryMs = 1_000;
/** A look that takes long is taken seldom: it may cost a twentieth of the time. */
const lookShare = 20;

/** Watches a catalogue; `now` is milliseconds, in place of the process's own clock. */
export function watchCatalog(catalog: Catalog, now: () => number = () => performance.now()): CatalogWatch {
  let fingerprint: string | undefined;
  let nextLook = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | undefined;
  let generation = 0;

  async function look(call: CallOptions): Promise<void> {
    const began = now();
    const seen = await catalog.fingerprint?.(call);
    nextLook = now() + Math.max(lookEveryMs, lookShare * (now() - began));
    if (seen !== fingerprint) generation++;
    fingerprint = seen;
  }

  return {
    get generation() {
      return generation;
    },
    get hasLooked() {
      return fingerprint !== undefined || catalog.fingerprint === undefined;
    },
    async isCurrent(call) {
      if (catalog.fingerprint === undefined || now() < nextLook) return true;
      looking ??= look(call).finally(() => {
        looking = undefined;
      });
      return looking.then(
        () => true,
        () => false,
      );
    },
  };
}
