/**
 * In which order the hosts of a source are tried: as written or shuffled, those that failed lately behind the others, so
 * that a host that is away costs its timeout once and not with every connection. Knows no product and opens nothing.
 */

/** The order of the next attempt. */
export interface HostOrder<Host> {
  next(): readonly Host[];
  /** It could not be reached, or would not have us for reasons of its own. */
  failed(host: Host): void;
  answered(host: Host): void;
}

/** How to choose among hosts. */
export interface HostOrderOptions {
  /** Shuffles them anew for every connection. Default false: in the order written. */
  readonly isRandom?: boolean;
  readonly random?: () => number;
  readonly now?: () => number;
}

/** How long a host that failed stands behind the others. */
const avoidMs = 30_000;

export function createHostOrder<Host>(
  hosts: readonly Host[],
  { isRandom = false, random = Math.random, now = () => performance.now() }: HostOrderOptions = {},
): HostOrder<Host> {
  const avoidedUntil = new Map<Host, number>();
  return {
    next() {
      const turns = isRandom ? shuffled(hosts, random) : hosts;
      const isAvoided = (host: Host) => (avoidedUntil.get(host) ?? Number.NEGATIVE_INFINITY) > now();
      return [...turns.filter((host) => !isAvoided(host)), ...turns.filter(isAvoided)];
    },
    failed: (host) => void avoidedUntil.set(host, now() + avoidMs),
    answered: (host) => void avoidedUntil.delete(host),
  };
}

function shuffled<Host>(hosts: readonly Host[], random: () => number): readonly Host[] {
  return hosts
    .map((host) => ({ host, rank: random() }))
    .sort((left, right) => left.rank - right.rank)
    .map(({ host }) => host);
}
