/**
 * What we read off the wire beside the driver: the type modifiers it drops, the reason a server gives before it hangs
 * up, the key for cancelling, and a count of bytes, so that one huge cell is cut before it is buffered.
 * It only watches complete message frames; it never changes a byte.
 */

/** A result field as RowDescription gives it (protocol 55.7). */
export interface Field {
  readonly name: string;
  /** The type's oid; a domain's base type. */
  readonly type: number;
  readonly modifier: number;
  /** The table and column it comes from, 0 for an expression. */
  readonly table: number;
  readonly column: number;
}

/** Identifies a server process to a cancel request. */
export interface BackendKey {
  readonly processId: number;
  readonly secret: number;
}

/** The server's last words on a connection it is about to close. */
export interface FatalError {
  readonly code: string;
  readonly message: string;
  /** A pooler's words, not the server's. */
  readonly isPoolers: boolean;
}

export interface WireWatch {
  /** Called for each chunk, before the driver sees it. */
  take(chunk: Buffer): void;
  /** Announces one query, in sending order; `onFields` runs before the driver sees the first row. */
  expect(onFields: (fields: readonly Field[]) => void): void;
  /** Starts counting anew; `onExceeded` runs once when more than `maxBytes` have come. */
  limit(maxBytes: number, onExceeded: () => void): void;
  readonly key: BackendKey | undefined;
  readonly fatal: FatalError | undefined;
}

const rowDescription = 0x54;
const readyForQuery = 0x5a;
const backendKeyData = 0x4b;
const errorResponse = 0x45;
/** Messages worth reading are small; a larger one is some row's neighbour gone wrong and is not kept. */
const maxKeptBytes = 1_048_576;

export function watchWire(): WireWatch {
  // The first ReadyForQuery ends the start-up, not a query.
  const expected: ((fields: readonly Field[]) => void)[] = [() => {}];
  let header = Buffer.alloc(0);
  let remaining = 0;
  let kept: Buffer[] | undefined;
  let type = 0;
  let budget = Number.POSITIVE_INFINITY;
  let exceeded: (() => void) | undefined;
  let key: BackendKey | undefined;
  let fatal: FatalError | undefined;

  function finish(body: Buffer): void {
    if (type === rowDescription) expected[0]?.(parseFields(body));
    else if (type === backendKeyData) key = { processId: body.readInt32BE(0), secret: body.readInt32BE(4) };
    else if (type === errorResponse) fatal = parseFatal(body) ?? fatal;
    else if (type === readyForQuery) expected.shift();
  }

  function begin(nextType: number, length: number): void {
    type = nextType;
    remaining = length - 4;
    const isRead = type === rowDescription || type === backendKeyData || type === errorResponse;
    kept = isRead && remaining <= maxKeptBytes ? [] : undefined;
    if (remaining === 0) finish(Buffer.alloc(0));
  }

  return {
    get key() {
      return key;
    },
    get fatal() {
      return fatal;
    },
    expect(onFields) {
      expected.push(onFields);
    },
    limit(maxBytes, onExceeded) {
      budget = maxBytes;
      exceeded = onExceeded;
    },
    take(chunk) {
      budget -= chunk.length;
      if (budget < 0 && exceeded !== undefined) {
        exceeded();
        exceeded = undefined;
      }
      let at = 0;
      while (at < chunk.length) {
        if (remaining > 0) {
          const part = chunk.subarray(at, at + remaining);
          kept?.push(part);
          at += part.length;
          remaining -= part.length;
          if (remaining === 0) finish(kept === undefined ? part : Buffer.concat(kept));
        } else if (header.length === 0 && chunk.length - at >= 5) {
          begin(chunk[at] ?? 0, chunk.readInt32BE(at + 1));
          at += 5;
        } else {
          const part = chunk.subarray(at, at + 5 - header.length);
          header = Buffer.concat([header, part]);
          at += part.length;
          if (header.length < 5) continue;
          begin(header[0] ?? 0, header.readInt32BE(1));
          header = Buffer.alloc(0);
        }
      }
    },
  };
}

function parseFields(body: Buffer): readonly Field[] {
  const fields: Field[] = [];
  let at = 2;
  for (let left = body.readUInt16BE(0); left > 0; left--) {
    const end = body.indexOf(0, at);
    fields.push({
      name: body.toString("utf8", at, end),
      table: body.readUInt32BE(end + 1),
      column: body.readInt16BE(end + 5),
      type: body.readUInt32BE(end + 7),
      modifier: body.readInt32BE(end + 13),
    });
    at = end + 19;
  }
  return fields;
}

function parseFatal(body: Buffer): FatalError | undefined {
  const parts = new Map(
    body
      .toString("utf8")
      .split("\0")
      .map((part) => [part[0], part.slice(1)]),
  );
  // `V` is the severity in English whatever lc_messages says; poolers send the older `S` only.
  const isPoolers = !parts.has("V");
  const severity = parts.get("V") ?? parts.get("S");
  if (severity !== "FATAL" && severity !== "PANIC") return undefined;
  return { code: parts.get("C") ?? "", message: parts.get("M") ?? "", isPoolers };
}
