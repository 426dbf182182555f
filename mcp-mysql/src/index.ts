/** The face of this package: MySQL and MariaDB as the suite sees them. */
export { mysqlKind } from "./kind.js";
