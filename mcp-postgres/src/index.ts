/** PostgreSQL as the suite sees it. */
export { postgresKind } from "./kind.js";
