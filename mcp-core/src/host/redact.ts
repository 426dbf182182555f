/**
 * What must never be read by anyone: secrets by the name of their field, and secrets inside text (passwords of URLs,
 * bearer tokens). It knows nothing of logs or settings; both pass their output through here.
 */

const mask = "[redacted]";

const secretKey =
  /pass(?:word|wd|phrase|code)?$|^pass(?:word|wd|phrase)|pwd$|secret|token$|^token|authorization|cookie|api[-_]?key|private[-_]?key|credential|^(?:mcp[-_])?keys?$|master[-_]?key/i;

/** True for a field whose value is a secret whatever it holds, such as `password`, `apiKey` or `Authorization`. */
export const isSecretKey = (key: string): boolean => secretKey.test(key);

/** The part between `//` and the last `@` before the path; passwords may themselves hold `@`, `:` or `#`. */
const userinfo = /\b([a-z][a-z0-9+.-]*:\/\/)([^\s/?'"`<>]*)@/gi;
/** `Bearer token` alone is English; a real one has a digit or is long. */
const bearer = /\b(bearer\s+(?=\S*\d|\S{20})|basic\s+)[A-Za-z0-9._~+/=-]{6,}/gi;
const assignment =
  /([\w-]{0,32}?(?:password|passwd|pwd|secret|token|api[-_]?key))(["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s&,;"'}]+)/gi;

/** A password with a slash or question mark that should have been percent-encoded; web addresses may look like one. */
const brokenUserinfo = /\b((?!https?:)[a-z][a-z0-9+.-]*:\/\/[^\s/?@:'"`<>]*):[^\s@'"`<>]*[/?][^\s'"`<>]*@/gi;

/** The text with every secret it shows replaced: `postgres://user:[redacted]@host/db`, `Bearer [redacted]`. */
export function redactText(text: string): string {
  return text
    .replace(userinfo, (_whole, scheme: string, user: string) => {
      const name = user.split(":", 1)[0];
      return user.includes(":") ? `${scheme}${name}:${mask}@` : `${scheme}${user}@`;
    })
    .replace(brokenUserinfo, `$1:${mask}@`)
    .replace(bearer, `$1${mask}`)
    .replace(assignment, `$1$2${mask}`);
}

/** The value for a field of that name. */
export function redactField(key: string, value: unknown): unknown {
  return isSecretKey(key) && value !== null && value !== undefined && typeof value !== "boolean" ? mask : value;
}
