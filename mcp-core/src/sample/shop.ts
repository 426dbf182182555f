/** The whole sample shop: its shape, its rows and the answers they lead to. Made on demand, the same every time. */
import { createCatalogueRows } from "./catalogue-rows.js";
import { createPeopleRows } from "./people-rows.js";
import { createSalesRows } from "./sales-rows.js";
import type { SampleRow, SampleTable, SampleView } from "./schema.js";
import { sampleTables, sampleViews } from "./tables.js";
import { type SampleTotals, totalsOf } from "./totals.js";

/**
 * SHA-256 of all rows, in hex, shortened: the version of the sample's content. A test recomputes it, so whoever
 * changes the generator changes this too and no cached copy of older content is ever used.
 */
export const sampleFingerprint = "8e8dd961dfb94f13";

/** The sample shop. */
export interface Shop {
  /** The name of the database it is loaded into. */
  readonly name: string;
  readonly tables: readonly SampleTable[];
  readonly views: readonly SampleView[];
  /** All rows of a table, in primary key order. @throws RangeError for a table the shop does not have */
  rows(table: string): readonly SampleRow[];
  readonly totals: SampleTotals;
}

/** The name of the shop's database on every engine. */
export const shopName = "shop";

/** Makes the shop; about 50,000 rows in a tenth of a second. */
export function createShop(): Shop {
  const { sellable, ...catalogue } = createCatalogueRows();
  const { buyers, ...people } = createPeopleRows();
  const rows: Readonly<Record<string, readonly SampleRow[]>> = {
    ...catalogue,
    ...people,
    ...createSalesRows(buyers, sellable),
  };
  return {
    name: shopName,
    tables: sampleTables,
    views: sampleViews,
    rows(table) {
      const found = rows[table];
      if (found === undefined) throw new RangeError(`The sample shop has no table ${table}.`);
      return found;
    },
    totals: totalsOf(rows),
  };
}
