/** A config that is taken over, or refused, in the trail. */
import type { AuditBody } from "@database-interface/mcp-core/host";
import { codeOf } from "../errors.js";
import type { FleetChange } from "../fleet.js";
import type { Note } from "./recorder.js";

/** Nobody waits for the record: whoever may change the file may do so whatever the trail says, which says it later. */
export function recordReload(note: Note, deploy: () => FleetChange): FleetChange {
  const record = (body: AuditBody) => void note("admin", { operation: "reload", ...body }).catch(() => {});
  try {
    const change = deploy();
    const { added, removed, changed } = change;
    record({ outcome: "ok", added, removed, changed });
    return change;
  } catch (error) {
    record({ outcome: codeOf(error) });
    throw error;
  }
}
