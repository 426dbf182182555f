/** What queries on the sample must answer, computed from the rows themselves in whole cents. */
import type { SampleRow } from "./schema.js";
import { moneyText } from "./text.js";

/** Orders in these states are revenue: goods + shipping fee - discount. */
export const revenueStatuses: readonly string[] = ["paid", "shipped", "delivered"];

/** Revenue of a group of orders, exact. */
export interface Revenue {
  readonly orders: number;
  /** In EUR, two decimals. */
  readonly revenue: string;
}

/** The exact answers. */
export interface SampleTotals {
  readonly rowCounts: Readonly<Record<string, number>>;
  readonly revenue: Revenue;
  /** By `YYYY-MM`, oldest first. */
  readonly revenueByMonth: readonly (Revenue & { readonly month: string })[];
  /** By the customer's country, highest revenue first. */
  readonly revenueByCountry: readonly (Revenue & { readonly country: string })[];
  /** By status, in alphabetical order; all orders. */
  readonly ordersByStatus: readonly { readonly status: string; readonly orders: number }[];
  /** The ten products with the highest goods value in revenue orders, highest first, ties by sku. */
  readonly topProducts: readonly { readonly sku: string; readonly quantity: number; readonly revenue: string }[];
  readonly customersWithoutEmail: number;
  readonly ordersWithoutItems: number;
  /** Payments minus refunds, in EUR. */
  readonly paid: string;
}

/** The totals of these rows; columns are found by their position in {@link "./tables.js"}. */
export function totalsOf(rows: Readonly<Record<string, readonly SampleRow[]>>): SampleTotals {
  const of = (table: string): readonly SampleRow[] => rows[table] ?? [];
  const goods = new Map<unknown, number>();
  for (const [orderId, , , quantity, price] of of("order_items")) {
    goods.set(orderId, (goods.get(orderId) ?? 0) + Number(quantity) * cents(price));
  }
  const countryOf = new Map(of("customers").map(([id, , , country]) => [id, String(country)]));

  const all = new Group();
  const byMonth = new Map<string, Group>();
  const byCountry = new Map<string, Group>();
  const byStatus = new Map<string, number>();
  const sold = new Set<unknown>();
  for (const [id, customerId, , status, placedAt, shippingFee, discount] of of("orders")) {
    byStatus.set(String(status), (byStatus.get(String(status)) ?? 0) + 1);
    if (!revenueStatuses.includes(String(status))) continue;
    sold.add(id);
    const total = (goods.get(id) ?? 0) + cents(shippingFee) - cents(discount);
    const month = String(placedAt).slice(0, 7);
    for (const group of [all, member(byMonth, month), member(byCountry, countryOf.get(customerId) ?? "")]) {
      group.add(total);
    }
  }

  return {
    rowCounts: Object.fromEntries(Object.entries(rows).map(([table, list]) => [table, list.length])),
    revenue: all.revenue(),
    revenueByMonth: [...byMonth].map(([month, group]) => ({ month, ...group.revenue() })),
    revenueByCountry: [...byCountry]
      .sort(([, left], [, right]) => right.cents - left.cents)
      .map(([country, group]) => ({ country, ...group.revenue() })),
    ordersByStatus: [...byStatus].sort().map(([status, orders]) => ({ status, orders })),
    topProducts: topProducts(of("products"), of("order_items"), sold),
    customersWithoutEmail: of("customers").filter(([, email]) => email === null).length,
    ordersWithoutItems: of("orders").filter(([id]) => !goods.has(id)).length,
    paid: moneyText(of("payments").reduce((sum, [, , , amount]) => sum + cents(amount), 0)),
  };
}

function topProducts(products: readonly SampleRow[], items: readonly SampleRow[], sold: ReadonlySet<unknown>) {
  const byProduct = new Map<unknown, { quantity: number; cents: number }>();
  for (const [orderId, , productId, quantity, price] of items) {
    if (!sold.has(orderId)) continue;
    const sum = byProduct.get(productId) ?? { quantity: 0, cents: 0 };
    byProduct.set(productId, {
      quantity: sum.quantity + Number(quantity),
      cents: sum.cents + Number(quantity) * cents(price),
    });
  }
  return products
    .map(([id, sku]) => ({ sku: String(sku), ...(byProduct.get(id) ?? { quantity: 0, cents: 0 }) }))
    .sort((left, right) => right.cents - left.cents || (left.sku < right.sku ? -1 : 1))
    .slice(0, 10)
    .map((product) => ({ sku: product.sku, quantity: product.quantity, revenue: moneyText(product.cents) }));
}

class Group {
  orders = 0;
  cents = 0;

  add(cents: number): void {
    this.orders += 1;
    this.cents += cents;
  }

  revenue(): Revenue {
    return { orders: this.orders, revenue: moneyText(this.cents) };
  }
}

function member(groups: Map<string, Group>, key: string): Group {
  const group = groups.get(key) ?? new Group();
  groups.set(key, group);
  return group;
}

/** A decimal with two places as whole cents. */
const cents = (value: unknown): number => Number(String(value).replace(".", ""));
