/** What the sample shop sells and where it lies: countries, categories, suppliers, products, inventory. */
import { createDraw } from "./random.js";
import type { SampleRow } from "./schema.js";
import { moneyText, secondsPerDay, timestampText } from "./text.js";
import { adjectives, categories, colours, countries, materials, tags, warehouses } from "./words.js";

const supplierCount = 60;
const productCount = 1_200;

/** A product as sales need it. */
export interface Product {
  readonly id: number;
  readonly priceCents: number;
}

/** The catalogue's rows by table, and its products. */
export interface CatalogueRows {
  readonly countries: readonly SampleRow[];
  readonly categories: readonly SampleRow[];
  readonly suppliers: readonly SampleRow[];
  readonly products: readonly SampleRow[];
  readonly inventory: readonly SampleRow[];
  readonly sellable: readonly Product[];
}

/** The catalogue, always the same. Product 13 costs nothing and inventory of product 99 is negative: dirty on purpose. */
export function createCatalogueRows(): CatalogueRows {
  const draw = createDraw(1_001);
  const leaves: { readonly id: number; readonly name: string }[] = [];
  const categoryRows: SampleRow[] = [];
  for (const [parentName, children] of categories) {
    const parentId = categoryRows.length + 1;
    categoryRows.push([parentId, null, parentName, slug(parentName)]);
    for (const name of children) {
      const id = categoryRows.length + 1;
      categoryRows.push([id, parentId, name, slug(`${parentName} ${name}`)]);
      leaves.push({ id, name });
    }
  }

  const supplierRows = Array.from({ length: supplierCount }, (_, index): SampleRow => {
    const name = `${draw.pick(adjectives)} ${draw.pick(["Trading", "Works", "& Sons", "Makers"])} ${index + 1}`;
    const email = draw.chance(0.1) ? null : `sales${index + 1}@supplier.example`;
    return [index + 1, name, draw.pick(countries)[0], email, moneyText(draw.between(150, 500))];
  });

  const productRows: SampleRow[] = [];
  const sellable: Product[] = [];
  const inventory: SampleRow[] = [];
  for (let id = 1; id <= productCount; id += 1) {
    const category = draw.pick(leaves);
    const colour = draw.pick(colours);
    const material = draw.pick(materials);
    const priceCents = id === 13 ? 0 : draw.between(2, 180) * 100 - draw.pick([1, 5, 50]);
    productRows.push([
      id,
      `SKU-${String(id).padStart(5, "0")}`,
      `${draw.pick(adjectives)} ${singular(category.name)}, ${colour}`,
      category.id,
      draw.between(1, supplierCount),
      moneyText(priceCents),
      moneyText(Math.floor((priceCents * draw.between(40, 75)) / 100)),
      draw.chance(0.05) ? null : draw.between(50, 12_000),
      JSON.stringify({ colour, material, size_cm: [draw.between(5, 90), draw.between(5, 60)], tags: someTags() }),
      !draw.chance(0.06),
      timestampText(draw.between(-365, -1) * secondsPerDay + draw.between(0, secondsPerDay - 1)),
    ]);
    sellable.push({ id, priceCents });
    for (const warehouse of warehouses) {
      const quantity = id === 99 ? -3 : draw.between(0, 400);
      inventory.push([id, warehouse, quantity, draw.between(5, 40), timestampText(730 * secondsPerDay + id * 37)]);
    }
  }

  function someTags(): string[] {
    return tags.filter(() => draw.chance(0.25));
  }

  return {
    countries: countries.map(([code, name, region, vatRate]) => [code, name, region, vatRate]),
    categories: categoryRows,
    suppliers: supplierRows,
    products: productRows,
    inventory,
    sellable,
  };
}

const slug = (name: string): string => name.toLowerCase().replaceAll(" ", "-");

const singular = (name: string): string => (name === "Plush" ? name : name.replace(/(?<=ch)es$|s$/, ""));
