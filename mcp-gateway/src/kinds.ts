/**
 * The databases of the suite, one line each: all the gateway knows of them. It imports none; their packages are found
 * when a server is first needed.
 */

/** A database server of the suite. */
export interface Kind {
  /** What a config's `server` says. */
  readonly name: string;
  readonly title: string;
  readonly package: string;
  /** The package's command. */
  readonly bin: string;
  /** URL schemes, without the colon. */
  readonly schemes: readonly string[];
  readonly defaultPort: number;
  /** Its server reads from replicas within a lag bound. */
  readonly readsFromReplicas: boolean;
  /** Variables of the gateway's own environment that its servers inherit, by prefix. */
  readonly environment: string;
}

export const kinds: readonly Kind[] = [
  {
    name: "postgres",
    title: "PostgreSQL",
    package: "@database-interface/mcp-postgres",
    bin: "mcp-postgres",
    schemes: ["postgres", "postgresql"],
    defaultPort: 5432,
    readsFromReplicas: true,
    environment: "PG",
  },
  {
    name: "mysql",
    title: "MySQL and MariaDB",
    package: "@database-interface/mcp-mysql",
    bin: "mcp-mysql",
    schemes: ["mysql", "mariadb"],
    defaultPort: 3306,
    readsFromReplicas: false,
    environment: "MYSQL_",
  },
];

/** Every scheme a plain URL may begin with. */
export const schemes = kinds.flatMap((kind) => kind.schemes);

/** The kind a URL is for, by its scheme. */
export function kindOfUrl(url: string): Kind | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  return kinds.find((kind) => scheme !== undefined && kind.schemes.includes(scheme));
}
