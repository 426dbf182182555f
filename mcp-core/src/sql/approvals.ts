/**
 * What humans were asked and have not used up: each approval stands for one statement with its parameters on one source,
 * for one caller, once, for a while. A code is told to the operator's side only; the store keeps its hash. It knows
 * nothing of SQL, clients or logs.
 */
import { createHash, randomBytes } from "node:crypto";
import { CodedError } from "../host/errors.js";

/** What an approval is bound to. */
export interface ApprovalBinding {
  /** The fingerprint of source, statement and parameters. */
  readonly fingerprint: string;
  readonly caller: string;
}

/** Open approvals. */
export interface Approvals {
  /** A new one: what proves it. The oldest makes room when there are too many. */
  open(binding: ApprovalBinding, proof: "code" | "token"): string;
  /**
   * Uses it up, whatever the outcome.
   * @throws CodedError `approval_unknown`, `approval_used`, `approval_expired`, `approval_mismatch`
   */
  redeem(proof: string, binding: ApprovalBinding): void;
  /** Uses it up without allowing anything. */
  close(proof: string): void;
}

/** Bounds of open approvals. */
export interface ApprovalLimits {
  readonly lifetimeMs: number;
  readonly maxOpen: number;
  /** Wrong proofs after which all open ones are void: a code can't be guessed by trying. */
  readonly maxWrong: number;
}

/** Five minutes, 256 of them, 20 wrong tries. */
export const approvalLimits: ApprovalLimits = { lifetimeMs: 300_000, maxOpen: 256, maxWrong: 20 };

interface Approval extends ApprovalBinding {
  readonly expiresAt: number;
  isUsed: boolean;
}

/** `now` in milliseconds, for tests. */
export function createApprovals(limits: ApprovalLimits = approvalLimits, now: () => number = Date.now): Approvals {
  const known = new Map<string, Approval>();
  let wrong = 0;

  /** Expired ones are kept as long again, to be told from those that never were. */
  function forget(): void {
    for (const [key, { expiresAt }] of known) {
      if (known.size < limits.maxOpen && now() < expiresAt + limits.lifetimeMs) break;
      known.delete(key);
    }
  }

  return {
    open(binding, proof) {
      forget();
      const text = proof === "token" ? randomBytes(16).toString("base64url") : newCode();
      known.set(keyOf(text), { ...binding, expiresAt: now() + limits.lifetimeMs, isUsed: false });
      return text;
    },
    redeem(proof, { fingerprint, caller }) {
      const approval = known.get(keyOf(proof));
      if (approval === undefined || approval.caller !== caller) {
        if (++wrong >= limits.maxWrong) {
          known.clear();
          wrong = 0;
        }
        throw refused("approval_unknown", "There is no such approval.");
      }
      if (approval.isUsed) throw refused("approval_used", "This approval has been used; it counts once.");
      approval.isUsed = true;
      if (now() > approval.expiresAt) throw refused("approval_expired", "This approval came too late.");
      if (approval.fingerprint !== fingerprint) {
        throw refused("approval_mismatch", "This approval was for another statement, other params or another source.");
      }
    },
    close(proof) {
      const approval = known.get(keyOf(proof));
      if (approval !== undefined) approval.isUsed = true;
    },
  };
}

const refused = (code: string, message: string): CodedError =>
  new CodedError(code, message, { hint: "Nothing was run. Call again without approval to ask anew." });

/** Letters and digits that can't be taken for each other: forty bits. */
const alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

function newCode(): string {
  const text = [...randomBytes(8)].map((byte) => alphabet[byte % alphabet.length]).join("");
  return `${text.slice(0, 4)}-${text.slice(4)}`;
}

/** As people type it. */
const keyOf = (proof: string): string =>
  createHash("sha256")
    .update(/^[\s\w-]{8,12}$/.test(proof) ? proof.replaceAll(/[\s-]/g, "").toUpperCase() : proof)
    .digest("base64");
