/** What a program can be told about its audit trail, and the trail that comes of it. */
import { basename } from "node:path";
import * as v from "valibot";
import { CodedError } from "../errors.js";
import type { Log } from "../log.js";
import { sizeSchema } from "../quantities.js";
import { type SettingValues, setting } from "../setting.js";
import { type AuditTrail, auditSyncs, openAuditTrail } from "./trail.js";

/** The key of the anchors, for writing and verifying alike. */
export const auditKeySetting = setting(
  v.optional(v.pipe(v.string(), v.minLength(16, "must have at least 16 characters"))),
  {
    describe: "Seals the trail's anchors, so that only who has it can change the trail unseen.",
    env: ["MCP_AUDIT_KEY"],
    flag: false,
    secret: true,
    group: "Audit",
  },
);

export const auditSettings = {
  audit: setting(v.optional(v.string()), {
    describe: "Records every call in hash-chained files in this folder.",
    env: ["MCP_AUDIT"],
    placeholder: "folder",
    group: "Audit",
  }),
  auditRequired: setting(v.optional(v.boolean()), {
    describe: "Refuses calls that cannot be recorded; without it they are answered and the loss is logged.",
    env: ["MCP_AUDIT_REQUIRED"],
    group: "Audit",
  }),
  auditFileSize: setting(sizeSchema({ min: 4_096 }), {
    describe: "Bytes of an audit file, after which the next one begins.",
    env: ["MCP_AUDIT_FILE_SIZE"],
    placeholder: "size",
    default: "64m",
    group: "Audit",
  }),
  auditSync: setting(v.picklist(auditSyncs), {
    describe: "When records are forced onto the disk: always (before the answer), each second, or never.",
    env: ["MCP_AUDIT_SYNC"],
    default: "second",
    group: "Audit",
  }),
  auditKey: auditKeySetting,
};

/**
 * The trail the settings ask for; undefined when they ask for none.
 * @throws CodedError `config_invalid`; `audit_unavailable` when it is required and cannot be written
 */
export async function openAudit(
  values: SettingValues<typeof auditSettings>,
  program: { readonly name: string; readonly version: string; readonly log: Log },
): Promise<AuditTrail | undefined> {
  const { audit: folder, auditRequired: isRequired = false, auditFileSize, auditSync: sync, auditKey: key } = values;
  if (folder === undefined) {
    if (!isRequired) return undefined;
    throw new CodedError("config_invalid", "--audit-required is set and --audit is not.", {
      hint: "Name a folder with --audit.",
    });
  }
  if (/\.jsonl?$/.test(basename(folder))) {
    throw new CodedError("config_invalid", "--audit must be a folder, not a file.", {
      hint: "It will hold several files: each process writes its own, and full ones are followed by new ones.",
    });
  }
  return await openAuditTrail({ ...program, folder, key, isRequired, sync, maxFileBytes: auditFileSize });
}
