/** Names of the catalogue that were probably meant: misspelt, written otherwise, or a part of the real name. */
import { nearestNames } from "../host/nearest.js";

/** At most `count` of these names, best first: by spelling, else by one containing the other as `user` in `app_users`. */
export function similarNames(wanted: string, names: Iterable<string>, count = 3): readonly string[] {
  const known = [...new Set(names)];
  const bySpelling = nearestNames(wanted, known, count);
  if (bySpelling.length > 0) return bySpelling;
  const target = fold(wanted);
  const related = known.filter((name) => isRelated(target, fold(name)));
  return related.sort((left, right) => left.length - right.length).slice(0, count);
}

const fold = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[_\s-]/g, "")
    .replace(/s$/, "");

function isRelated(wanted: string, name: string): boolean {
  if (wanted === name) return true;
  return (wanted.length >= 4 && name.includes(wanted)) || (name.length >= 4 && wanted.includes(name));
}
