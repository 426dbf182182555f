/** Whom the door turned away, in the trail: so many a minute one by one, the rest as a number, so that nobody can fill it. */
import type { Denial, Log } from "@database-interface/mcp-core/host";
import type { Note } from "./recorder.js";

const minuteMs = 60_000;

/** `maxEach`: denials a minute that have a record each. */
export function createDenials(
  note: Note,
  { log, maxEach = 60, now = Date.now }: { readonly log: Log; readonly maxEach?: number; readonly now?: () => number },
): (denial: Denial) => void {
  let begun = 0;
  let written = 0;
  let untold = 0;
  const write = (body: Readonly<Record<string, unknown>>): void => {
    note("denied", body).catch((error: unknown) => log.debug("denial_not_recorded", { error }));
  };
  return ({ code, status, method, path, principal, address, token }) => {
    if (now() - begun >= minuteMs) {
      if (untold > 0) write({ more: untold });
      [begun, written, untold] = [now(), 0, 0];
    }
    if (written >= maxEach) {
      untold++;
      return;
    }
    written++;
    write({ principal, address, method, path, status, token, outcome: code });
  };
}
