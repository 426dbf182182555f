/** Whether two bags of things can be paired off one to one: exactly by a key first, by augmenting paths within a key. */

/**
 * `same` decides about two things of one key. Things of equal keys mostly are the same; where they are not (numbers that
 * may be a little apart), a first choice that blocks a later one is undone.
 * @see https://en.wikipedia.org/wiki/Matching_(graph_theory) Berge's lemma
 */
export function pairUp<T>(
  left: readonly T[],
  right: readonly T[],
  keyOf: (thing: T) => string,
  same: (a: T, b: T) => boolean,
): boolean {
  if (left.length !== right.length) return false;
  const [ofLeft, ofRight] = [grouped(left, keyOf), grouped(right, keyOf)];
  for (const [key, things] of ofLeft) {
    const others = ofRight.get(key) ?? [];
    if (things.length !== others.length || !canPair(things, others, same)) return false;
  }
  return true;
}

function grouped<T>(things: readonly T[], keyOf: (thing: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const thing of things) {
    const key = keyOf(thing);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [thing]);
    else group.push(thing);
  }
  return groups;
}

function canPair<T>(left: readonly T[], right: readonly T[], same: (a: T, b: T) => boolean): boolean {
  const partner: (number | undefined)[] = right.map(() => undefined);
  return left.every((_, index) => augment(index, new Set()));

  function augment(index: number, seen: Set<number>): boolean {
    const thing = left[index];
    if (thing === undefined) return false;
    // where it stands itself comes first: results mostly agree in order, too
    for (const place of [index, ...right.keys()]) {
      const other = right[place];
      if (seen.has(place) || other === undefined || !same(thing, other)) continue;
      seen.add(place);
      const taken = partner[place];
      if (taken === undefined || augment(taken, seen)) {
        partner[place] = index;
        return true;
      }
    }
    return false;
  }
}
