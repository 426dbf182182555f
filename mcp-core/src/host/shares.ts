/**
 * Who gives way when all places are taken. One's own come first; of others' only what is more than one's own share, so
 * that nobody who opens many pushes out those who have few.
 */

/** Something that takes a place. */
export interface Holding {
  /** Whose it is. */
  readonly owner: string;
  /** On any clock. */
  readonly lastUsed: number;
  /** Nobody waits for anything of it. */
  readonly rests: boolean;
  /** Ending it loses no work: it rests, or somebody only listens to it. */
  readonly yields: boolean;
}

/** The one that makes room for one more of `newcomer`'s; undefined when nobody has to. */
export function findGivingWay<One extends Holding>(all: Iterable<One>, newcomer: string): One | undefined {
  const holdings = [...all];
  const counts = new Map<string, number>();
  for (const { owner } of holdings) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  const countOf = (owner: string): number => counts.get(owner) ?? 0;
  const mine = countOf(newcomer);
  const [own] = holdings.filter(({ owner, rests }) => owner === newcomer && rests).sort(byAge);
  if (own !== undefined) return own;
  const [others] = holdings
    .filter(({ owner, rests, yields }) => {
      if (owner === newcomer) return false;
      const hasMore = countOf(owner) >= mine + 2; // and still as many as the newcomer when one has gone
      return hasMore ? yields : mine === 0 && rests;
    })
    .sort((a, b) => countOf(b.owner) - countOf(a.owner) || Number(b.rests) - Number(a.rests) || byAge(a, b));
  return others;
}

const byAge = (a: Holding, b: Holding): number => a.lastUsed - b.lastUsed;
