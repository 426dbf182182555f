/** How long a paged result lives, by which token its next page is fetched, and how many there may be. */
import { describe, expect, test } from "vitest";
import { type CursorClock, createCursors, type OpenResult } from "../../mcp-core/src/sql/cursors.js";

const limits = { maxOpen: 3, idleMs: 1_000, lifetimeMs: 2_500 };

/** A clock that moves when told. */
function createClock(): CursorClock & { pass(ms: number): void } {
  let now = 0;
  const waiting = new Set<{ at: number; callback: () => void }>();
  return {
    now: () => now,
    schedule(callback, afterMs) {
      const entry = { at: now + afterMs, callback };
      waiting.add(entry);
      return () => waiting.delete(entry);
    },
    pass(ms) {
      now += ms;
      for (const entry of [...waiting]) {
        if (entry.at > now) continue;
        waiting.delete(entry);
        entry.callback();
      }
    },
  };
}

function setUp() {
  const clock = createClock();
  const cursors = createCursors(limits, clock);
  const closed: string[] = [];
  const open = (source = "shop") => {
    const result: OpenResult = {
      principal: "ada",
      sql: "SELECT 1",
      source,
      leftover: [],
      rowBytes: 0,
      cursor: {
        columns: [],
        fetch: async () => [],
        async [Symbol.asyncDispose]() {
          closed.push(source);
        },
      },
    };
    return cursors.reserve(source, 2).hold(result);
  };
  return { clock, cursors, closed, open };
}

const codeOf = (call: () => unknown): string => {
  try {
    call();
  } catch (error) {
    return String((error as { code?: unknown }).code); // every error of the shelf is a CodedError
  }
  return "none";
};

describe("a paged result", () => {
  test("each page's token works once, and the next page has its own", async () => {
    const { cursors, open } = setUp();
    const first = open().keep();
    const held = cursors.take(first, "ada");
    expect(codeOf(() => cursors.take(first, "ada"))).toBe("cursor_unknown");
    const second = held.keep();
    await held[Symbol.asyncDispose]();
    expect(second).not.toBe(first);
    expect(second).toMatch(/^[\w-]{22}$/);
    expect(cursors.take(second, "ada")).toBe(held);
  });

  test("what was not kept is closed when its call ends, and its place is free", async () => {
    const { cursors, closed, open } = setUp();
    await open()[Symbol.asyncDispose]();
    expect(closed).toEqual(["shop"]);
    expect(cursors.openCount).toBe(0);
  });

  test("an unread one is closed after the idle time, and its token says expired", () => {
    const { clock, cursors, closed, open } = setUp();
    const token = open().keep();
    clock.pass(999);
    expect(closed).toEqual([]);
    clock.pass(1);
    expect(closed).toEqual(["shop"]);
    expect(codeOf(() => cursors.take(token, "ada"))).toBe("cursor_expired");
    expect(cursors.openCount).toBe(0);
  });

  test("one that is read on lives no longer than its lifetime", async () => {
    const { clock, cursors, closed, open } = setUp();
    let token = open().keep();
    for (let page = 0; page < 3; page++) {
      clock.pass(800);
      const held = cursors.take(token, "ada");
      token = held.keep();
      await held[Symbol.asyncDispose]();
    }
    expect(closed).toEqual([]);
    clock.pass(100);
    expect(closed).toEqual(["shop"]);
    expect(codeOf(() => cursors.take(token, "ada"))).toBe("cursor_expired");
  });

  test("a token that never was is unknown", () => {
    expect(codeOf(() => setUp().cursors.take("AAAAAAAAAAAAAAAAAAAAAA", "ada"))).toBe("cursor_unknown");
  });

  test("to another principal a token never was, whatever has become of it", async () => {
    const { clock, cursors, open } = setUp();
    const refusal = (token: string) => {
      try {
        cursors.take(token, "bob");
      } catch (error) {
        return error;
      }
      return undefined;
    };
    const never = refusal("AAAAAAAAAAAAAAAAAAAAAA");
    const token = open().keep();
    expect(refusal(token)).toEqual(never);
    const next = cursors.take(token, "ada").keep();
    expect(refusal(token)).toEqual(never);
    clock.pass(1_000);
    expect(refusal(next)).toEqual(never);
    expect(codeOf(() => cursors.take(next, "ada"))).toBe("cursor_expired");
  });

  test("a refused check leaves the token good", () => {
    const { cursors, open } = setUp();
    const token = open().keep();
    const refuse = () => {
      throw new Error("another statement");
    };
    expect(() => cursors.take(token, "ada", refuse)).toThrow("another statement");
    expect(cursors.take(token, "ada").result.sql).toBe("SELECT 1");
  });

  test("a source holds as many as it may and no more; a place given back is free again", () => {
    const { cursors, open } = setUp();
    open();
    const place = cursors.reserve("shop", 2);
    expect(codeOf(() => open())).toBe("cursor_limit");
    place.release();
    expect(codeOf(() => open())).toBe("none");
  });

  test("a process holds as many as it may, over all sources", () => {
    const { open } = setUp();
    for (const source of ["a", "b", "c"]) open(source);
    expect(codeOf(() => open("d"))).toBe("cursor_limit");
  });

  test("closing the shelf closes all of them, in use or waiting, once", async () => {
    const { cursors, closed, open } = setUp();
    open("a").keep();
    const inUse = open("b");
    await cursors[Symbol.asyncDispose]();
    await cursors[Symbol.asyncDispose]();
    await inUse[Symbol.asyncDispose]();
    expect(closed.sort()).toEqual(["a", "b"]);
  });
});
