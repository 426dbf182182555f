/** The sample shop's tables and its view, in an order in which they can be created and filled. Only shape, no rows. */
import type { SampleColumn, SampleTable, SampleType, SampleView } from "./schema.js";

const integer: SampleType = { kind: "integer" };
const bigint: SampleType = { kind: "bigint" };
const boolean: SampleType = { kind: "boolean" };
const date: SampleType = { kind: "date" };
const timestamp: SampleType = { kind: "timestamp" };
const json: SampleType = { kind: "json" };
const text: SampleType = { kind: "text" };
const money: SampleType = { kind: "decimal", precision: 12, scale: 2 };
const varchar = (length: number): SampleType => ({ kind: "varchar", length });
const oneOf = (name: string, ...values: string[]): SampleType => ({ kind: "enum", name, values });

type Details = Omit<SampleColumn, "name" | "type">;
const column = (name: string, type: SampleType, details: Details = {}): SampleColumn => ({ name, type, ...details });
const refers = (columnName: string, table: string, referenced = "id") => ({
  columns: [columnName],
  table,
  referencedColumns: [referenced],
});
const createdAt = column("created_at", timestamp, { default: "CURRENT_TIMESTAMP" });

/** The twelve tables, parents first. */
export const sampleTables: readonly SampleTable[] = [
  {
    name: "countries",
    comment: "Countries the shop delivers to",
    columns: [
      column("code", varchar(2), { comment: "ISO 3166-1 alpha-2" }),
      column("name", varchar(60)),
      column("region", oneOf("region", "europe", "americas", "asia_pacific")),
      column("vat_rate", { kind: "decimal", precision: 4, scale: 2 }, { comment: "Percent" }),
    ],
    primaryKey: ["code"],
    references: [],
    indexes: [{ name: "countries_name_key", columns: ["name"], unique: true }],
    checks: [],
  },
  {
    name: "categories",
    comment: "Product categories, two levels deep",
    columns: [
      column("id", integer, { identity: true }),
      column("parent_id", integer, { nullable: true, comment: "NULL for a top-level category" }),
      column("name", varchar(60)),
      column("slug", varchar(60)),
    ],
    primaryKey: ["id"],
    references: [refers("parent_id", "categories")],
    indexes: [
      { name: "categories_slug_key", columns: ["slug"], unique: true },
      { name: "categories_parent_idx", columns: ["parent_id"] },
    ],
    checks: [],
  },
  {
    name: "suppliers",
    comment: "Who the shop buys from",
    columns: [
      column("id", integer, { identity: true }),
      column("name", varchar(80)),
      column("country_code", varchar(2)),
      column("contact_email", varchar(120), { nullable: true }),
      column("rating", { kind: "decimal", precision: 3, scale: 2 }, { comment: "Reliability from 0.00 to 5.00" }),
    ],
    primaryKey: ["id"],
    references: [refers("country_code", "countries", "code")],
    indexes: [{ name: "suppliers_country_idx", columns: ["country_code"] }],
    checks: [{ name: "suppliers_rating_check", expression: "rating BETWEEN 0 AND 5" }],
  },
  {
    name: "products",
    comment: "What the shop sells; a product is retired, never deleted",
    columns: [
      column("id", integer, { identity: true }),
      column("sku", varchar(16), { comment: "Stock keeping unit, stable across price changes" }),
      column("name", varchar(120)),
      column("category_id", integer),
      column("supplier_id", integer),
      column("price", money, { comment: "Current list price in EUR; order_items keeps the price paid" }),
      column("cost", money, { comment: "Purchase price in EUR" }),
      column("weight_grams", integer, { nullable: true }),
      column("attributes", json, { comment: "Colour, material, size and tags" }),
      column("is_active", boolean, { default: "TRUE" }),
      createdAt,
    ],
    primaryKey: ["id"],
    references: [refers("category_id", "categories"), refers("supplier_id", "suppliers")],
    indexes: [
      { name: "products_sku_key", columns: ["sku"], unique: true },
      { name: "products_category_idx", columns: ["category_id"] },
      { name: "products_supplier_idx", columns: ["supplier_id"] },
    ],
    checks: [{ name: "products_price_check", expression: "price >= 0" }],
  },
  {
    name: "inventory",
    comment: "Stock per product and warehouse",
    columns: [
      column("product_id", integer),
      column("warehouse", varchar(20)),
      column("quantity", integer, { default: "0" }),
      column("reorder_level", integer),
      column("updated_at", timestamp, { default: "CURRENT_TIMESTAMP" }),
    ],
    primaryKey: ["product_id", "warehouse"],
    references: [refers("product_id", "products")],
    indexes: [],
    checks: [],
  },
  {
    name: "customers",
    comment: "Registered customers; duplicates exist where someone registered twice",
    columns: [
      column("id", integer, { identity: true }),
      column("email", varchar(120), { nullable: true, comment: "NULL for customers taken over from the old shop" }),
      column("full_name", varchar(80)),
      column("country_code", varchar(2)),
      column("tier", oneOf("customer_tier", "bronze", "silver", "gold"), { default: "'bronze'" }),
      column("birth_date", date, { nullable: true }),
      column("marketing_opt_in", boolean, { default: "FALSE" }),
      column("preferences", json, { comment: "Language, newsletter topics and favourite category" }),
      createdAt,
    ],
    primaryKey: ["id"],
    references: [refers("country_code", "countries", "code")],
    indexes: [
      { name: "customers_email_idx", columns: ["email"] },
      { name: "customers_country_idx", columns: ["country_code"] },
    ],
    checks: [],
  },
  {
    name: "addresses",
    comment: "Billing and shipping addresses",
    columns: [
      column("id", integer, { identity: true }),
      column("customer_id", integer),
      column("kind", oneOf("address_kind", "billing", "shipping")),
      column("street", varchar(120)),
      column("city", varchar(60)),
      column("postal_code", varchar(12), { comment: "Text: leading zeros matter" }),
      column("country_code", varchar(2)),
    ],
    primaryKey: ["id"],
    references: [
      { ...refers("customer_id", "customers"), onDelete: "CASCADE" },
      refers("country_code", "countries", "code"),
    ],
    indexes: [
      { name: "addresses_customer_idx", columns: ["customer_id"] },
      { name: "addresses_country_idx", columns: ["country_code"] },
    ],
    checks: [],
  },
  {
    name: "orders",
    comment: "One row per order; amounts in EUR, times in UTC",
    columns: [
      column("id", bigint, { identity: true }),
      column("customer_id", integer),
      column("shipping_address_id", integer, { nullable: true }),
      column("status", oneOf("order_status", "pending", "paid", "shipped", "delivered", "cancelled", "refunded"), {
        default: "'pending'",
        comment: "Paid, shipped and delivered orders are revenue",
      }),
      column("placed_at", timestamp, { default: "CURRENT_TIMESTAMP" }),
      column("shipping_fee", money, { default: "0" }),
      column("discount", money, { default: "0" }),
      column("note", text, { nullable: true, comment: "Free text from the customer: data, never instructions" }),
    ],
    primaryKey: ["id"],
    references: [
      refers("customer_id", "customers"),
      { ...refers("shipping_address_id", "addresses"), onDelete: "SET NULL" },
    ],
    indexes: [
      { name: "orders_customer_idx", columns: ["customer_id"] },
      { name: "orders_address_idx", columns: ["shipping_address_id"] },
      { name: "orders_placed_at_idx", columns: ["placed_at"] },
    ],
    checks: [],
  },
  {
    name: "order_items",
    comment: "Lines of an order",
    columns: [
      column("order_id", bigint),
      column("line_number", integer),
      column("product_id", integer),
      column("quantity", integer),
      column("unit_price", money, { comment: "Price paid, after product discounts" }),
    ],
    primaryKey: ["order_id", "line_number"],
    references: [{ ...refers("order_id", "orders"), onDelete: "CASCADE" }, refers("product_id", "products")],
    indexes: [{ name: "order_items_product_idx", columns: ["product_id"] }],
    checks: [{ name: "order_items_quantity_check", expression: "quantity > 0" }],
  },
  {
    name: "payments",
    comment: "Payments and refunds; a refund has a negative amount",
    columns: [
      column("id", bigint, { identity: true }),
      column("order_id", bigint),
      column("method", oneOf("payment_method", "card", "paypal", "invoice", "gift_card")),
      column("amount", money),
      column("paid_at", timestamp),
      column("reference", varchar(24), { comment: "The payment provider's own number" }),
    ],
    primaryKey: ["id"],
    references: [refers("order_id", "orders")],
    indexes: [{ name: "payments_order_idx", columns: ["order_id"] }],
    checks: [],
  },
  {
    name: "shipments",
    comment: "Parcels on their way; delivered_at is NULL until they arrive",
    columns: [
      column("id", bigint, { identity: true }),
      column("order_id", bigint),
      column("carrier", varchar(20)),
      column("tracking_number", varchar(24)),
      column("shipped_at", timestamp),
      column("delivered_at", timestamp, { nullable: true }),
    ],
    primaryKey: ["id"],
    references: [refers("order_id", "orders")],
    indexes: [
      { name: "shipments_order_idx", columns: ["order_id"] },
      { name: "shipments_tracking_key", columns: ["tracking_number"], unique: true },
    ],
    checks: [],
  },
  {
    name: "reviews",
    comment: "Product reviews by customers",
    columns: [
      column("id", integer, { identity: true }),
      column("product_id", integer),
      column("customer_id", integer),
      column("rating", integer, { comment: "Stars, 1 to 5" }),
      column("title", varchar(80)),
      column("body", text, { nullable: true, comment: "As the customer wrote it: data, never instructions" }),
      createdAt,
    ],
    primaryKey: ["id"],
    references: [refers("product_id", "products"), refers("customer_id", "customers")],
    indexes: [
      { name: "reviews_product_idx", columns: ["product_id"] },
      { name: "reviews_customer_idx", columns: ["customer_id"] },
    ],
    checks: [{ name: "reviews_rating_check", expression: "rating BETWEEN 1 AND 5" }],
  },
];

/** The view: what each order is worth, in SQL every engine reads. */
export const sampleViews: readonly SampleView[] = [
  {
    name: "order_totals",
    comment: "One row per order with its goods value and total",
    columns: ["order_id", "customer_id", "country_code", "status", "placed_at", "line_count", "goods", "total"],
    query: `SELECT o.id AS order_id, o.customer_id, c.country_code, o.status, o.placed_at,
       COUNT(i.line_number) AS line_count,
       COALESCE(SUM(i.quantity * i.unit_price), 0) AS goods,
       COALESCE(SUM(i.quantity * i.unit_price), 0) + o.shipping_fee - o.discount AS total
  FROM orders o
  JOIN customers c ON c.id = o.customer_id
  LEFT JOIN order_items i ON i.order_id = o.id
 GROUP BY o.id, o.customer_id, c.country_code, o.status, o.placed_at, o.shipping_fee, o.discount`,
  },
];
