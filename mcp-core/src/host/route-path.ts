/** Paths of routes: exact, with named parts (`/v1/sessions/{id}`), or a prefix (`/v1/*`). */

/** The named parts of a path that a pattern stands for, decoded; undefined where it stands for another. */
export function matchPath(pattern: string, path: string): Readonly<Record<string, string>> | undefined {
  if (pattern === path) return {};
  if (pattern.endsWith("/*")) {
    return path.startsWith(pattern.slice(0, -1)) || path === pattern.slice(0, -2) ? {} : undefined;
  }
  if (!pattern.includes("{")) return undefined;
  const names = pattern.split("/");
  const parts = path.split("/");
  if (names.length !== parts.length) return undefined;
  const found: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    const part = decode(parts[index] ?? "");
    if (part === undefined) return undefined;
    if (name.startsWith("{") && part !== "") found[name.slice(1, -1)] = part;
    else if (name !== parts[index]) return undefined;
  }
  return found;
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
