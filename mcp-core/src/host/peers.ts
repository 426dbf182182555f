/**
 * The other processes that serve together with this one, behind one address and with no regard to who was asked before.
 * How they reach each other is for whoever starts them; a process that serves alone has none of it.
 */

/** Where something that was told or asked came from. */
export interface PeerContext {
  /** The process that tells or asks. */
  readonly from: string;
  /** Fires when whoever asked wants no answer any more. */
  readonly signal: AbortSignal;
}

/** What takes a topic's messages; what it resolves to goes back to whoever asked. Values are JSON, and authentic. */
export type PeerHandler = (value: unknown, context: PeerContext) => unknown;

/** The others. */
export interface Peers {
  /** This process's name among them: letters, digits, `_` and `-`, another one after each start. */
  readonly self: string;
  /** Tells all others; who is away misses it. Never throws. */
  tell(topic: string, value: unknown): void;
  /**
   * Asks one of them and waits for as long as it works on the answer.
   * @throws CodedError where it does not take the question or goes away (`replica_lost`: what it was asked may have been
   * done), where it cannot be reached (`store_unavailable`), and what it threw itself
   */
  ask(peer: string, topic: string, value: unknown, options: { readonly signal: AbortSignal }): Promise<unknown>;
  /** Takes a topic's messages until disposed. */
  on(topic: string, handler: PeerHandler): Disposable;
}
