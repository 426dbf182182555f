/** What happened in the sample shop over two years: orders, their lines, payments, shipments and reviews. */
import type { Product } from "./catalogue-rows.js";
import { formulaNote, injectionBody, injectionNote, invisibleTitle, itemlessOrders } from "./dirty.js";
import type { Customer } from "./people-rows.js";
import { createDraw, type Draw } from "./random.js";
import type { SampleRow } from "./schema.js";
import { moneyText, sampleDays, secondsPerDay, timestampText } from "./text.js";
import { carriers, orderNotes, reviewTitles } from "./words.js";

const orderCount = 7_000;
const itemsAtMost = 4;

/** The sales tables' rows. */
export interface SalesRows {
  readonly orders: readonly SampleRow[];
  readonly order_items: readonly SampleRow[];
  readonly payments: readonly SampleRow[];
  readonly shipments: readonly SampleRow[];
  readonly reviews: readonly SampleRow[];
}

/** Two years of sales to these buyers, always the same. */
export function createSalesRows(buyers: readonly Customer[], sellable: readonly Product[]): SalesRows {
  const draw = createDraw(3_003);
  const rows = { orders: [], order_items: [], payments: [], shipments: [], reviews: [] } as Record<
    keyof SalesRows,
    SampleRow[]
  >; // Empty arrays have no element type of their own.
  const times = Array.from({ length: orderCount }, () => orderTime(draw)).sort((left, right) => left - right);

  let registered = 0;
  for (const [index, placedAt] of times.entries()) {
    while (registered < buyers.length && (buyers[registered]?.registeredAt ?? 0) < placedAt) registered += 1;
    const id = index + 1;
    const buyer = draw.pick(buyers.slice(Math.max(0, draw.chance(0.3) ? registered - 400 : 0), registered));
    const status = itemlessOrders.includes(id) ? "pending" : statusAt(placedAt, draw);
    const lines = itemlessOrders.includes(id) ? [] : orderLines(sellable, draw);
    const goodsCents = lines.reduce((sum, line) => sum + line.quantity * line.unitCents, 0);
    const discountCents = draw.chance(0.15) ? Math.floor((goodsCents * draw.between(2, 10)) / 100) : 0;
    const shippingCents = goodsCents > 10_000 ? 0 : draw.pick([390, 490, 690]);
    rows.orders.push([
      id,
      buyer.id,
      draw.chance(0.03) ? null : buyer.shippingAddressId,
      status,
      timestampText(placedAt),
      moneyText(shippingCents),
      moneyText(discountCents),
      noteOf(id, draw),
    ]);
    for (const [position, line] of lines.entries()) {
      rows.order_items.push([id, position + 1, line.productId, line.quantity, moneyText(line.unitCents)]);
    }
    const sold = { id, status, placedAt, totalCents: goodsCents + shippingCents - discountCents };
    addPayments(rows.payments, sold, draw);
    const deliveredAt = addShipment(rows.shipments, sold, draw);
    const reviewed = lines[0];
    if (deliveredAt !== undefined && reviewed !== undefined && draw.chance(0.4)) {
      addReview(rows.reviews, reviewed.productId, buyer.id, deliveredAt, draw);
    }
  }
  return rows;
}

interface Sold {
  readonly id: number;
  readonly status: string;
  readonly placedAt: number;
  readonly totalCents: number;
}

/** Business grows, and people order by day: the later of two draws half the time, hours from 6 to 23. */
function orderTime(draw: Draw): number {
  const share = draw.chance(0.5) ? Math.max(draw.fraction(), draw.fraction()) : draw.fraction();
  return Math.floor(share * sampleDays) * secondsPerDay + draw.between(6 * 3600, 23 * 3600);
}

function statusAt(placedAt: number, draw: Draw): string {
  const ageDays = sampleDays - placedAt / secondsPerDay;
  if (ageDays < 3) return draw.pick(["pending", "paid"]);
  if (ageDays < 10) return draw.pick(["paid", "shipped", "shipped"]);
  return draw.chance(0.05) ? "cancelled" : draw.chance(0.04) ? "refunded" : "delivered";
}

function orderLines(sellable: readonly Product[], draw: Draw) {
  return Array.from({ length: draw.between(1, itemsAtMost) }, () => {
    const product = draw.pick(draw.chance(0.35) ? sellable.slice(0, 80) : sellable);
    const reduced = draw.chance(0.1) ? Math.floor((product.priceCents * 4) / 5) : product.priceCents;
    return { productId: product.id, quantity: draw.pick([1, 1, 1, 2, 2, 3]), unitCents: reduced };
  });
}

function noteOf(id: number, draw: Draw): string | null {
  if (id % 1_900 === 0) return injectionNote;
  if (id % 2_300 === 0) return formulaNote;
  return draw.chance(0.06) ? draw.pick(orderNotes) : null;
}

function addPayments(payments: SampleRow[], { id, status, placedAt, totalCents }: Sold, draw: Draw): void {
  if (status === "pending" || status === "cancelled") return;
  const method = draw.pick(["card", "card", "card", "paypal", "paypal", "invoice", "gift_card"]);
  const pay = (cents: number, at: number) => {
    const paymentId = payments.length + 1;
    const reference = `PAY-${String(paymentId * 7_919).padStart(10, "0")}`;
    payments.push([paymentId, id, method, moneyText(cents), timestampText(at), reference]);
  };
  const paidAt = placedAt + draw.between(20, 7_200);
  pay(totalCents, paidAt);
  if (status === "refunded") pay(-totalCents, paidAt + draw.between(9, 25) * secondsPerDay);
}

/** The second of delivery, undefined while the parcel is not there. */
function addShipment(shipments: SampleRow[], { id, status, placedAt }: Sold, draw: Draw): number | undefined {
  if (status !== "shipped" && status !== "delivered" && status !== "refunded") return undefined;
  const shipmentId = shipments.length + 1;
  const shippedAt = placedAt + draw.between(4, 60) * 3600;
  const deliveredAt = status === "shipped" ? undefined : shippedAt + draw.between(20, 150) * 3600;
  const tracking = `TR${String(shipmentId * 104_729).padStart(12, "0")}`;
  shipments.push([
    shipmentId,
    id,
    draw.pick(carriers),
    tracking,
    timestampText(shippedAt),
    deliveredAt === undefined ? null : timestampText(deliveredAt),
  ]);
  return deliveredAt;
}

function addReview(reviews: SampleRow[], productId: number, customerId: number, after: number, draw: Draw): void {
  const id = reviews.length + 1;
  const rating = draw.pick([1, 2, 3, 4, 4, 4, 5, 5, 5, 5]);
  const title = id % 700 === 0 ? invisibleTitle : draw.pick(reviewTitles);
  const plain = draw.chance(0.3) ? null : `${draw.pick(reviewTitles)}. ${"⭐".repeat(rating)}`;
  const body = id % 500 === 0 ? injectionBody : plain;
  reviews.push([id, productId, customerId, rating, title, body, timestampText(after + draw.between(1, 20) * 43_200)]);
}
