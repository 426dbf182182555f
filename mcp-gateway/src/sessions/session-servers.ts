/**
 * The running servers of sessions: one for each principal and set of credentials, started on need, shared by all
 * connections that are equal, gone with the last session that uses it. To the rest of the gateway they are members as
 * any other; nobody lists them.
 */
import { createHmac, randomBytes } from "node:crypto";
import { CodedError, type Log } from "@database-interface/mcp-core/host";
import type { Member } from "../member.js";
import type { PlannedServer } from "../servers.js";
import type { Credentials } from "./plan.js";

/** A session's use of a server, by the session's name in the store and the connection's own. */
export interface Use {
  readonly record: string;
  readonly connection: string;
}

/** Servers by what they connect as. */
export interface SessionServers extends AsyncDisposable {
  readonly members: readonly Member[];
  /** The server for these credentials, kept as long as the use is renewed within its time. @throws CodedError `busy` */
  use(use: Use, principal: string, credentials: Credentials, ttlMs: number): Member;
  /** The server for a try, kept by nobody: `end` it, unless a use has taken it over meanwhile. @throws CodedError `busy` */
  attempt(principal: string, credentials: Credentials): { readonly member: Member; end(): Promise<void> };
  /** Ends one connection's use, or all of a session. */
  release(record: string, connection?: string): void;
}

/** What they are made with. */
export interface SessionServersOptions {
  plan(id: string, credentials: Credentials): PlannedServer;
  createMember(plan: PlannedServer): Member;
  /** At most; beyond it those that rest make room. */
  readonly maxServers: number;
  readonly log: Log;
  readonly now?: (() => number) | undefined;
}

interface Running {
  readonly member: Member;
  /** By record and connection, until when. */
  readonly uses: Map<string, number>;
  attempts: number;
  lastUsed: number;
}

const sweepMs = 5_000;

export function createSessionServers(options: SessionServersOptions): SessionServers {
  const { maxServers, log, now = Date.now } = options;
  const running = new Map<string, Running>();
  const ending = new Set<Promise<void>>();
  const keyOfKeys = randomBytes(32); // so that what a key stands for cannot be guessed from it
  let count = 0;

  const keyOf = (principal: string, { template, host, port, database, user, password }: Credentials): string => {
    const { kind, settings, options: urlOptions, schemas, denyColumns, mask, sessionContext } = template;
    const fixed = [template.name, kind.name, settings, urlOptions, schemas, denyColumns, mask, sessionContext];
    const text = JSON.stringify([principal, fixed, host, port, database, user, password]);
    return createHmac("sha256", keyOfKeys).update(text).digest("base64url");
  };

  function acquire(principal: string, credentials: Credentials): Running {
    const key = keyOf(principal, credentials);
    const known = running.get(key);
    if (known !== undefined) {
      known.lastUsed = now();
      return known;
    }
    makeRoom();
    const member = options.createMember(options.plan(`session:${credentials.template.name}#${++count}`, credentials));
    const one: Running = { member, uses: new Map(), attempts: 0, lastUsed: now() };
    running.set(key, one);
    return one;
  }

  /** The one that has rested longest goes, one that has to remember something last; its sessions start it again when they need it. */
  function makeRoom(): void {
    if (running.size < maxServers) return;
    const resting = [...running].filter(([, { member, attempts }]) => attempts === 0 && isResting(member));
    const isKept = ({ member }: Running): number => Number(member.supervisor.isKept);
    const [oldest] = resting.sort(([, a], [, b]) => isKept(a) - isKept(b) || a.lastUsed - b.lastUsed);
    if (oldest === undefined) {
      throw new CodedError("busy", `All ${maxServers} servers of sessions are at work.`, {
        hint: "Try again in a moment, or close connections that are not needed.",
        retryable: true,
      });
    }
    end(...oldest);
  }

  function end(key: string, { member }: Running): void {
    running.delete(key);
    const ended = Promise.resolve(member[Symbol.asyncDispose]())
      .catch((error: unknown) => log.warn("server_not_stopped", { server: member.plan.id, error }))
      .finally(() => ending.delete(ended));
    ending.add(ended);
  }

  function endUnused(): void {
    for (const [key, one] of running) if (one.uses.size === 0 && one.attempts === 0) end(key, one);
  }

  const sweeper = setInterval(() => {
    for (const { uses } of running.values()) for (const [use, until] of uses) if (until <= now()) uses.delete(use);
    endUnused();
  }, sweepMs);
  sweeper.unref();

  return {
    get members() {
      return [...running.values()].map(({ member }) => member);
    },
    use({ record, connection }, principal, credentials, ttlMs) {
      const one = acquire(principal, credentials);
      for (const other of running.values()) if (other !== one) other.uses.delete(toKey(record, connection));
      one.uses.set(toKey(record, connection), now() + ttlMs);
      return one.member;
    },
    attempt(principal, credentials) {
      const one = acquire(principal, credentials);
      one.attempts++;
      let isOver = false;
      return {
        member: one.member,
        async end() {
          if (isOver) return;
          isOver = true;
          one.attempts--;
          endUnused();
          await Promise.all(ending);
        },
      };
    },
    release(record, connection) {
      for (const { uses } of running.values()) {
        for (const use of [...uses.keys()])
          if (connection === undefined ? use.startsWith(`${record} `) : use === toKey(record, connection))
            uses.delete(use);
      }
      endUnused();
    },
    async [Symbol.asyncDispose]() {
      clearInterval(sweeper);
      for (const [key, one] of running) end(key, one);
      await Promise.all(ending);
    },
  };
}

const toKey = (record: string, connection: string): string => `${record} ${connection}`;

const isResting = ({ supervisor }: Member): boolean => {
  const { active, queued } = supervisor.status();
  return active + queued === 0;
};
