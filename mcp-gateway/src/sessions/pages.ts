/**
 * Where the gateway's own pages are reached: under its public address, where it listens, or, where it listens nowhere
 * because it speaks over stdio, on a loopback port of their own that is opened with the first page.
 */

/** A listener that serves the pages and nothing else. */
export interface PageListener extends AsyncDisposable {
  readonly url: string;
}

/** The address of pages. */
export interface Pages extends AsyncDisposable {
  /** The whole URL of a path such as `/connect/…`. */
  urlOf(path: string): Promise<string>;
  /** Says where the gateway listens. */
  servedAt(url: string): void;
  readonly ownPorts: ReadonlySet<number>;
}

/** `publicUrl` is how people reach the gateway where that is not where it listens. */
export function createPages({
  publicUrl,
  open,
}: {
  readonly publicUrl: string | undefined;
  open(): Promise<PageListener>;
}): Pages {
  let base = publicUrl;
  let opening: Promise<PageListener> | undefined;
  const ownPorts = new Set<number>();
  const owns = (url: string): void => {
    const { port, protocol } = new URL(url);
    ownPorts.add(Number(port) || (protocol === "https:" ? 443 : 80));
  };
  return {
    ownPorts,
    servedAt(url) {
      owns(url);
      base ??= url;
    },
    async urlOf(path) {
      if (base === undefined) {
        opening ??= open().catch((error: unknown) => {
          opening = undefined;
          throw error;
        });
        base = (await opening).url;
        owns(base);
      }
      return `${base.replace(/\/+$/, "")}${path}`;
    },
    async [Symbol.asyncDispose]() {
      await (await opening?.catch(() => undefined))?.[Symbol.asyncDispose]();
    },
  };
}
