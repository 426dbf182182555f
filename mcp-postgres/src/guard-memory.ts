/** What the guard has learnt of a catalogue's names, per source. It asks nothing: `guard-names` fills it. */

/** A function that a call by this name could mean. */
export interface KnownFunction {
  readonly schema: string;
  /** Itself, or what an aggregate is made of. */
  readonly isVolatile: boolean;
  /** The system's own or an extension's: the reviewed lists speak of it. */
  readonly isReviewed: boolean;
  /** It takes one row, so that `row.name` calls it. */
  readonly takesRow: boolean;
  /** Its body only computes: it names no table, no SQL text, and no function of a user. */
  readonly isPure: boolean;
  /** The system's own that speaks of the catalogue: its arguments or results are oids, names or definitions. */
  readonly tellsCatalogue: boolean;
  /** Its answer depends on its arguments alone; of an aggregate, so do its parts. */
  readonly isImmutable: boolean;
  /** A call without a schema can mean it. */
  readonly isVisible: boolean;
  /** How many arguments a call of it can have. */
  readonly minArgs: number;
  readonly maxArgs: number;
}

/** A relation a name means. */
export interface KnownRelation {
  readonly schema: string;
  readonly name: string;
  /** The foreign data wrapper of a foreign table. */
  readonly wrapper: string | undefined;
  /** The query of a view that is neither the system's nor an extension's. */
  readonly view: string | undefined;
  /** A table that holds its own rows, and shows them to everybody alike; not one of the system's. */
  readonly isPlain: boolean;
}

/** What the functions behind an operator's symbol are. */
export interface KnownOperator {
  readonly isVolatile: boolean;
  /** One that is not the system's may answer differently for the same operands. */
  readonly isUnsettled: boolean;
}

/** What making a value of a user's type runs. */
export interface KnownType {
  /** Some cast to it is volatile. */
  readonly hasVolatileCast: boolean;
  /** The conditions of the domains it is made of. */
  readonly checks: readonly string[];
}

/** What has been learnt, per source. */
export interface NameMemory {
  readonly functions: Map<string, readonly KnownFunction[]>;
  readonly relations: Map<string, KnownRelation | undefined>;
  readonly operators: Map<string, KnownOperator>;
  readonly types: Map<string, KnownType>;
  learntAt: number;
}

/** Nothing learnt yet. */
export const createNameMemory = (): NameMemory => ({
  functions: new Map(),
  relations: new Map(),
  operators: new Map(),
  types: new Map(),
  learntAt: performance.now(),
});
