/**
 * The servers of the moment. A new config keeps those it leaves alone, replaces those it changes and lets go of those it
 * no longer names; calls in progress on the latter end as they would have. What the servers do is not its business.
 */
import type { Log } from "@database-interface/mcp-core/host";
import type { Member } from "./member.js";
import { createRouter, type Router } from "./routing.js";
import type { PlannedServer } from "./servers.js";

/** What a change of the config did to the servers, by id. */
export interface FleetChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  readonly kept: readonly string[];
}

/** What a fleet is made with. */
export interface FleetOptions {
  createMember(plan: PlannedServer): Member;
  /** Called for each server that is let go, with what stands in its place. */
  onReplaced(old: Member, next: Member | undefined): void;
  /** Milliseconds that calls in progress get on a server that is let go. */
  readonly drainMs: number;
  readonly log: Log;
}

/** All servers, those that are being let go included; disposing it ends them all. */
export interface Fleet extends AsyncDisposable {
  /** In the config's order. */
  readonly members: readonly Member[];
  readonly router: Router;
  /** Takes over a new config's servers; says what it changed. */
  deploy(plans: readonly PlannedServer[]): FleetChange;
}

export function createFleet({ createMember, onReplaced, drainMs, log }: FleetOptions): Fleet {
  let members: readonly Member[] = [];
  let router = createRouter(members);
  const leaving = new Set<Member>();

  async function letGo(member: Member): Promise<void> {
    leaving.add(member);
    await member.supervisor.drained(AbortSignal.timeout(drainMs));
    await member[Symbol.asyncDispose]();
    leaving.delete(member);
  }

  return {
    get members() {
      return members;
    },
    get router() {
      return router;
    },
    deploy(plans) {
      const before = new Map(members.map((member) => [member.plan.id, member]));
      const kept: string[] = [];
      const changed: string[] = [];
      const added: string[] = [];
      members = plans.map((plan) => {
        const old = before.get(plan.id);
        if (old?.plan.identity === plan.identity) {
          before.delete(plan.id);
          kept.push(plan.id);
          return old;
        }
        (old === undefined ? added : changed).push(plan.id);
        return createMember(plan);
      });
      router = createRouter(members);
      for (const [id, old] of before) {
        onReplaced(
          old,
          members.find(({ plan }) => plan.id === id),
        );
        letGo(old).catch((error: unknown) => log.warn("server_not_stopped", { server: id, error }));
      }
      const removed = [...before.keys()].filter((id) => !changed.includes(id));
      return { added, removed, changed, kept };
    },
    async [Symbol.asyncDispose]() {
      await Promise.allSettled([...members, ...leaving].map((member) => member[Symbol.asyncDispose]()));
    },
  };
}
