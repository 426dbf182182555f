/** A database that says when something may have been written through it. What is done about it is others' business. */
import type { Database } from "./database.js";

/** The same database; `notice` is called after every write, also where its outcome is not known. */
export function afterWrites(database: Database, notice: () => void): Database {
  const { writing } = database;
  if (writing === undefined) return database;
  return Object.assign(Object.create(database) as Database, {
    writing: {
      ...writing,
      async run(...given: Parameters<typeof writing.run>) {
        try {
          return await writing.run(...given);
        } finally {
          notice();
        }
      },
    },
  });
}
