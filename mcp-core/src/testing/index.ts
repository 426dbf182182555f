/** The face of the testing room: the conformance suite that a database must pass to be served by the suite. */
export { type ConformanceCase, databaseConformance } from "./conformance.js";
export type { ConformanceTarget, ConformanceValue } from "./target.js";
